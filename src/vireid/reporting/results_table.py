"""Results as tables in the terminal."""

from collections.abc import Sequence

from vireid.retrieval.evaluation import Evaluation, cmc_length
from vireid.support.tables import NOTHING, Column, print_table


def print_results(title: str, evaluations: Sequence[Evaluation]) -> None:
    """Print for each protocol the means over the trials in percent, their 95 % intervals, and sizes.

    Re-ranked means stand below the plain ones.
    """
    metrics = _metrics(evaluations)
    columns = [Column("protocol"), *(Column(name, number=True) for name in (*metrics, "queries", "gallery"))]
    rows = []
    for evaluation in evaluations:
        queries = evaluation.valid_queries, evaluation.valid_queries + evaluation.skipped_queries
        sizes = "/".join(str(count) for count in dict.fromkeys(queries)), str(evaluation.gallery_size)
        rows += _rows(evaluation.protocol.name, evaluation, metrics, sizes)
        if evaluation.reranked:
            rows += _rows("  re-ranked", evaluation.reranked, metrics, ("", ""))
    print_table(title, columns, rows, notes(evaluations))


def _metrics(evaluations: Sequence[Evaluation]) -> list[str]:
    """Name the columns: every rank that was asked for, then what every protocol has."""
    ranks = sorted({rank for evaluation in evaluations for rank in evaluation.ranks + evaluation.blank_ranks})
    others = [name for name in evaluations[0].metrics if not name.startswith("rank")]
    return [*(f"rank{rank}" for rank in ranks), *others]


def _rows(label: str, evaluation: Evaluation, metrics: Sequence[str], sizes: tuple[str, str]) -> list[list[str]]:
    """Write means, and below them the two ends of their intervals."""
    ends = zip(*evaluation.intervals.values(), strict=True)
    low, high = (dict(zip(evaluation.intervals, values, strict=True)) for values in ends)
    return [
        [label, *_percent(evaluation.means, metrics, NOTHING), *sizes],
        ["  95 % from", *_percent(low, metrics, ""), "", ""],
        ["  to", *_percent(high, metrics, ""), "", ""],
    ]


def _percent(values: dict[str, float], metrics: Sequence[str], nothing: str) -> list[str]:
    return [f"{100 * values[metric]:.2f}" if metric in values else nothing for metric in metrics]


def notes(evaluations: Sequence[Evaluation]) -> list[str]:
    """Say what the numbers are, and what was counted because it departs from the protocol's ideal."""
    lines = ["percent, mean over the trials; 95 % intervals by bootstrap over the people in the queries"]
    if any(evaluation.skipped_queries for evaluation in evaluations):
        lines.append("queries: those with a match in the gallery, which count / all")
    reranking = evaluations[0].reranked and evaluations[0].reranked.reranking
    if reranking:
        k1, k2, lambda_value = reranking.k1, reranking.k2, reranking.lambda_value
        lines.append(f"re-ranked: by k-reciprocal neighbours, k1 {k1}, k2 {k2}, lambda {lambda_value}")
    protocols: dict[str, list[str]] = {}
    for evaluation in evaluations:
        for line in _departures(evaluation):
            protocols.setdefault(line, []).append(evaluation.protocol.name)
    everywhere = [line for line, names in protocols.items() if len(names) == len(evaluations)]
    others = [f"{', '.join(names)}: {line}" for line, names in protocols.items() if line not in everywhere]
    return lines + everywhere + others


def _departures(evaluation: Evaluation) -> list[str]:
    selection, lines = evaluation.selection, []
    if evaluation.blank_ranks:
        ranks = ", ".join(map(str, evaluation.blank_ranks))
        counted = "identities" if evaluation.protocol.cmc_counting == "identity" else "images"
        length = cmc_length(evaluation.protocol, selection)
        lines.append(f"rank {ranks}: blank, as the gallery has {length} {counted}")
    if selection.junk_queries or selection.junk_gallery:
        lines.append(
            f"left out, as their pid is negative (junk): {selection.junk_queries} query images and "
            f"{selection.junk_gallery} gallery images"
        )
    if selection.short_cells:
        lines.append(
            f"{selection.short_cells} pairs of identity and camera have fewer than "
            f"{evaluation.protocol.shots} images"
        )
    return lines
