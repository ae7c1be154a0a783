"""Slow hetero-centre triplet loss in float64 loops, written from its definition: the oracle of tests/losses."""

from tests.reference.triplet import distance


def hetero_centre_triplet(embeddings, labels, spectra, margin) -> float:
    """Mean over the centres that have one in the other spectrum and another identity's; spectra: one per row."""
    groups = {}
    for embedding, label, spectrum in zip(embeddings, labels, spectra, strict=True):
        groups.setdefault((label, spectrum), []).append(embedding)
    centres = {
        group: [sum(column) / len(rows) for column in zip(*rows, strict=True)] for group, rows in groups.items()
    }
    terms = []
    for (label, spectrum), centre in centres.items():
        others = [distance(centre, other) for (whose, _), other in centres.items() if whose != label]
        if (label, not spectrum) in centres and others:
            terms.append(max(0.0, margin + distance(centre, centres[label, not spectrum]) - min(others)))
    return sum(terms) / len(terms) if terms else 0.0
