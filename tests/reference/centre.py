"""Slow centre loss and update of its centres in float64 loops, from their paper: the oracle of tests/losses."""


def centre(embeddings, labels, centres) -> float:
    """Half the mean squared distance from the centres."""
    squares = [
        sum((x - c) ** 2 for x, c in zip(embedding, centres[label], strict=True))
        for embedding, label in zip(embeddings, labels, strict=True)
    ]
    return sum(squares) / 2 / len(squares) if squares else 0.0


def moved(centres, embeddings, labels, rate) -> list[list[float]]:
    """Each coordinate of each centre by itself."""
    result = []
    for identity, place in enumerate(centres):
        rows = [e for e, label in zip(embeddings, labels, strict=True) if label == identity]
        steps = [sum(c - row[d] for row in rows) / (1 + len(rows)) for d, c in enumerate(place)]
        result.append([c - rate * step for c, step in zip(place, steps, strict=True)])
    return result
