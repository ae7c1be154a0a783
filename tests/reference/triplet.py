"""Slow batch-hard triplet loss in float64 loops, written from its definition: the oracle of tests/losses."""

import math


def batch_hard_triplet(embeddings, labels, margin) -> float:
    """Mean over the anchors that have a negative; an anchor may be its own hardest positive, at distance 0."""
    terms = []
    for anchor, label in zip(embeddings, labels, strict=True):
        positives = [distance(anchor, e) for e, other in zip(embeddings, labels, strict=True) if other == label]
        negatives = [distance(anchor, e) for e, other in zip(embeddings, labels, strict=True) if other != label]
        if negatives:
            terms.append(max(0.0, margin + max(positives) - min(negatives)))
    return sum(terms) / len(terms) if terms else 0.0


def distance(first, second) -> float:
    """Euclidean distance of two points."""
    return math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(first, second, strict=True)))
