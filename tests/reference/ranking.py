"""Slow ranking and evaluation, written from the definitions with float64 loops: the oracle of tests/retrieval.

Nothing here comes from the package or from another repository.
"""

import math
import random
from statistics import fmean
from typing import NamedTuple


class Scores(NamedTuple):
    """What one query scores."""

    identity_rank: int
    image_rank: int
    average_precision: float
    inverse_negative_penalty: float


def score_query(distances, pid, gallery_pids, junk) -> Scores | None:
    """Score one query, or return None if its identity is not in what is left of the gallery."""
    left = [place for place in range(len(distances)) if not junk[place]]
    ranking = sorted(left, key=lambda place: (distances[place], place))
    ranks = [rank for rank, place in enumerate(ranking, start=1) if gallery_pids[place] == pid]
    if not ranks:
        return None
    seen = []
    for place in ranking:
        if gallery_pids[place] not in seen:
            seen.append(gallery_pids[place])
    precisions = [found / rank for found, rank in enumerate(ranks, start=1)]
    return Scores(seen.index(pid) + 1, ranks[0], fmean(precisions), len(ranks) / ranks[-1])


def evaluate_sysu(query, gallery, gallery_camids, shots, trials, ranks) -> dict[str, float]:
    """Evaluate by SYSU-MM01's protocol with seeded galleries, image by image.

    Args:
        query: Images as (pid, camid, name, vector); cameras 3 and 6 are queries.
        gallery: The same; images of `gallery_camids` can be drawn.
        gallery_camids: Cameras of the gallery.
        shots: Images of each identity and camera.
        trials: Number of galleries.
        ranks: Ranks of the CMC.

    Returns:
        Means over queries and trials, as fractions.
    """
    means = []
    for trial in range(trials):
        drawn = draw_gallery(gallery, gallery_camids, shots, trial)
        scores = []
        for pid, camid, _, vector in query:
            if camid in (3, 6):
                distances = [euclidean(unit(vector), unit(item[3])) for item in drawn]
                junk = [camid == 3 and item[1] == 2 for item in drawn]
                scores.append(score_query(distances, pid, [item[0] for item in drawn], junk))
        valid = [score for score in scores if score is not None]
        means.append(
            {f"rank{rank}": fmean(score.identity_rank <= rank for score in valid) for rank in ranks}
            | {
                "mAP": fmean(score.average_precision for score in valid),
                "mINP": fmean(score.inverse_negative_penalty for score in valid),
            }
        )
    return {name: fmean(mean[name] for mean in means) for name in means[0]}


def draw_gallery(gallery, camids, shots, trial):
    """Draw a gallery: seed with the trial, identities ascending, cameras in order, names sorted."""
    generator = random.Random(trial)
    drawn = []
    for pid in sorted({item[0] for item in gallery if item[1] in camids}):
        for camid in camids:
            cell = sorted((item for item in gallery if item[:2] == (pid, camid)), key=lambda item: item[2])
            if cell and shots == 1:
                drawn.append(generator.choice(cell))
            elif cell:
                drawn.extend(generator.sample(cell, min(shots, len(cell))))
    # Equal distances are ranked by identity, camera and name.
    return sorted(drawn, key=lambda item: item[:3])


def unit(vector):
    """Scale a vector to length 1."""
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def euclidean(first, second):
    """Compute the distance of two points."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))


def evaluate_official(features, shuffles, pids, shots, trial) -> dict[str, float]:
    """Evaluate one trial of SYSU-MM01's all-search, by the authors' definition, from their files' content.

    Args:
        features: Camera -> list by identity (from 1) of (n, D) rows.
        shuffles: For each camera, column of cells by identity of (10, n) permutations of 1..n.
        pids: The test identities.
        shots: Images of each identity and camera.
        trial: Number of the shuffle, from 0.

    Returns:
        Rank-1, rank-5 and mAP as fractions.
    """
    place = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}
    gallery = []
    for camid in (1, 2, 4, 5):
        for pid in sorted(pids):
            shuffle = shuffles[camid - 1][pid - 1, 0]
            for number in shuffle[trial][:shots].tolist() if shuffle.size else []:
                gallery.append((pid, camid, features[camid][pid - 1][number - 1].tolist()))  # noqa: PERF401
    scores = []
    for camid in (3, 6):
        for pid in pids:
            for vector in features[camid][pid - 1].tolist():
                distances = [euclidean(vector, item[2]) for item in gallery]
                junk = [place[item[1]] == place[camid] for item in gallery]
                scores.append(score_query(distances, pid, [item[0] for item in gallery], junk))
    valid = [score for score in scores if score is not None]
    return {f"rank{rank}": fmean(score.identity_rank <= rank for score in valid) for rank in (1, 5)} | {
        "mAP": fmean(score.average_precision for score in valid)
    }
