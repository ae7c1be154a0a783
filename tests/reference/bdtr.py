"""Slow losses of BDTR in float64 loops, written from their definitions: the oracle of tests/methods/bdtr."""

from tests.reference.triplet import distance


def cross_and_intra(embeddings, labels, spectra, margins, centres) -> tuple[float, float]:
    """The cross-modality and the intra-modality term; spectra: one per row; margins of both; centres: eBDTR."""
    rows = list(zip(embeddings, labels, spectra, strict=True))
    cross, intra = {}, {}
    for anchor, label, spectrum in rows:
        compared = [(_target(rows, row, centres), row[1], row[2]) for row in rows]
        positives = [distance(anchor, e) for e, who, where in compared if where != spectrum and who == label]
        negatives = [distance(anchor, e) for e, who, where in compared if where != spectrum and who != label]
        near = [distance(anchor, e) for e, who, where in compared if where == spectrum and who != label]
        if positives and negatives:
            cross.setdefault(spectrum, []).append(max(0.0, margins[0] + max(positives) - min(negatives)))
        if near:
            intra.setdefault(spectrum, []).append(max(0.0, margins[1] - min(near)))
    return tuple(sum(sum(terms) / len(terms) for terms in part.values()) for part in (cross, intra))


def _target(rows, row, centres):
    if not centres:
        return row[0]
    members = [embedding for embedding, *group in rows if group == list(row[1:])]
    return [sum(column) / len(members) for column in zip(*members, strict=True)]
