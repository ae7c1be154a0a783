"""Slow triplet loss with the positives and negatives that a rule names, in float64 loops."""

from collections.abc import Callable

from tests.reference.triplet import distance


def hard_triplet(
    embeddings, positive: Callable[[int, int], bool], negative: Callable[[int, int], bool], margin: float
) -> float:
    """Mean over the anchors that have both; the rules are asked with an anchor's and another row's number."""
    rows, terms = range(len(embeddings)), []
    for anchor in rows:
        far = [distance(embeddings[anchor], embeddings[row]) for row in rows if positive(anchor, row)]
        near = [distance(embeddings[anchor], embeddings[row]) for row in rows if negative(anchor, row)]
        if far and near:
            terms.append(max(0.0, margin + max(far) - min(near)))
    return sum(terms) / len(terms) if terms else 0.0
