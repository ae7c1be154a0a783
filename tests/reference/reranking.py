"""Slow k-reciprocal re-ranking by loops and sets in float64, written from the definition: an oracle.

Nothing here comes from the package or from another repository.
"""

import math


def rerank(distances, num_queries, k1, k2, lambda_value):
    """Re-rank a gallery.

    Args:
        distances: N rows of N numbers; what enters (squared Euclidean distances, for the paper). Column i holds
            the distances of image i, the first images are the queries.
        num_queries: Q.
        k1: Neighbours among which reciprocal ones are sought.
        k2: Neighbours whose encodings are averaged.
        lambda_value: Share of the original distance.

    Returns:
        Q lists of N - Q final distances.
    """
    items = range(len(distances))
    # Divided by the largest of the column, then transposed.
    largest = [max(distances[j][i] for j in items) for i in items]
    scaled = [[distances[j][i] / largest[i] if largest[i] else 0.0 for j in items] for i in items]
    ranking = [sorted(items, key=lambda j, i=i: (j != i, distances[j][i], j)) for i in items]
    encodings = [encode(i, scaled[i], ranking, k1) for i in items]
    if k2 != 1:
        encodings = [mean([encodings[j] for j in ranking[i][:k2]]) for i in items]
    return [
        [
            (1 - lambda_value) * jaccard(encodings[q], encodings[g]) + lambda_value * scaled[q][g]
            for g in items[num_queries:]
        ]
        for q in items[:num_queries]
    ]


def reciprocal(i, ranking, k):
    """Find the images among i's first k + 1 that have i among theirs."""
    return {j for j in ranking[i][: k + 1] if i in ranking[j][: k + 1]}


def half(k):
    """Halve, rounding a half to the even number."""
    lower, rest = divmod(k, 2)
    return lower + 1 if rest and lower % 2 else lower


def encode(i, scaled, ranking, k1):
    """Encode image i as {image: weight}."""
    own = reciprocal(i, ranking, k1)
    members = set(own)
    for j in own:
        theirs = reciprocal(j, ranking, half(k1))
        if 3 * len(theirs & own) > 2 * len(theirs):
            members |= theirs
    weights = {j: math.exp(-scaled[j]) for j in members}
    total = math.fsum(weights.values())
    return {j: weight / total for j, weight in weights.items()}


def mean(encodings):
    """Average encodings entry by entry."""
    members = set().union(*encodings)
    return {j: math.fsum(encoding.get(j, 0) for encoding in encodings) / len(encodings) for j in members}


def jaccard(first, second):
    """Compute 1 - (sum of minima) / (sum of maxima), where both encodings sum to 1."""
    shared = math.fsum(min(first[j], second[j]) for j in first.keys() & second.keys())
    return 1 - shared / (2 - shared)
