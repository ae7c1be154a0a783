"""Slow mAP and rank-1 by loops, written from their definitions: the oracle of tests/training."""


def scores(visible, infrared, visible_pids, infrared_pids) -> tuple[float, float]:
    """Rank all visible images for every infrared one by cosine similarity; mAP and rank-1 in percent."""
    precisions, hits = [], []
    for query, pid in zip(infrared, infrared_pids, strict=True):
        similarities = [cosine(query, item) for item in visible]
        ranking = sorted(range(len(visible)), key=lambda place: -similarities[place])
        found, precision = 0, []
        for rank, place in enumerate(ranking, start=1):
            if visible_pids[place] == pid:
                found += 1
                precision.append(found / rank)
        precisions.append(sum(precision) / len(precision))
        hits.append(visible_pids[ranking[0]] == pid)
    return 100 * sum(precisions) / len(precisions), 100 * sum(hits) / len(hits)


def cosine(first, second) -> float:
    """Cosine of the angle between two vectors."""
    product = sum(float(a) * float(b) for a, b in zip(first, second, strict=True))
    return product / (length(first) * length(second))


def length(vector) -> float:
    """Euclidean length of a vector."""
    return sum(float(a) ** 2 for a in vector) ** 0.5
