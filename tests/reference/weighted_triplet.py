"""Slow weighted triplet loss in float64 loops, written from its definition: the oracle of tests/methods/agw."""

import math

from tests.reference.triplet import distance


def weighted_triplet(embeddings, labels) -> float:
    """Mean over the anchors that have a negative; an anchor is one of its own positives."""
    terms = []
    for anchor, label in zip(embeddings, labels, strict=True):
        pairs = [(distance(anchor, e), other == label) for e, other in zip(embeddings, labels, strict=True)]
        positives, negatives = ([d for d, same in pairs if same is wanted] for wanted in (True, False))
        if negatives:
            far = sum(d * math.exp(d) for d in positives) / sum(math.exp(d) for d in positives)
            near = sum(d * math.exp(-d) for d in negatives) / sum(math.exp(-d) for d in negatives)
            terms.append(math.log1p(math.exp(far - near)))
    return sum(terms) / len(terms) if terms else 0.0
