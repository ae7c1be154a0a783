"""Slow hard pentaplet loss in float64 loops, written from HPILN's definition: the oracle of tests/losses."""

from tests.reference.triplet import distance


def pentaplet(embeddings, labels, visible, margin) -> float:
    """HGT + HCT, each a mean over the anchors that have what it needs."""
    spectra = [row < visible for row in range(len(labels))]
    return _mean(global_hinges(embeddings, labels, margin)) + cross_modality(embeddings, labels, spectra, margin)


def cross_modality(embeddings, labels, spectra, margin) -> float:
    """Mean over the anchors that have a positive and a negative in the other spectrum; spectra: one per row."""
    terms = []
    for a, anchor in enumerate(embeddings):
        others = [n for n in range(len(labels)) if spectra[n] != spectra[a]]
        positives = [distance(anchor, embeddings[n]) for n in others if labels[n] == labels[a]]
        negatives = [distance(anchor, embeddings[n]) for n in others if labels[n] != labels[a]]
        if positives and negatives:
            terms.append(max(0.0, margin + max(positives) - min(negatives)))
    return _mean(terms)


def global_hinges(embeddings, labels, margin) -> list[float]:
    """Of every anchor with a negative; its positives are other rows, as printed; without any it counts 0."""
    hinges = []
    for a, anchor in enumerate(embeddings):
        others = [n for n in range(len(labels)) if n != a]
        positives = [distance(anchor, embeddings[n]) for n in others if labels[n] == labels[a]]
        negatives = [distance(anchor, embeddings[n]) for n in others if labels[n] != labels[a]]
        if negatives:
            hinges.append(max(0.0, margin + max(positives, default=0.0) - min(negatives)))
    return hinges


def _mean(terms) -> float:
    return sum(terms) / len(terms) if terms else 0.0
