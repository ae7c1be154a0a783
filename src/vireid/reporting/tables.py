"""Results as tables in the terminal."""

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vireid.retrieval.evaluation import Evaluation

_WIDTH_OF_FILES = 110  # columns where the output is not a terminal, so that a log keeps its lines whole


def print_results(title: str, evaluations: Sequence[Evaluation]) -> None:
    """Print a line for each protocol: means over the trials in percent, and sizes; below it, re-ranked means."""
    Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES).print(results_table(title, evaluations))


def results_table(title: str, evaluations: Sequence[Evaluation]) -> Table:
    """Build the table that `print_results` prints."""
    metrics = list(evaluations[0].metrics)
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("protocol", no_wrap=True)
    for heading in (*metrics, "queries", "gallery"):
        table.add_column(heading, justify="right", no_wrap=True)
    for evaluation in evaluations:
        queries = evaluation.valid_queries, evaluation.valid_queries + evaluation.skipped_queries
        table.add_row(
            evaluation.protocol.name,
            *_percent(evaluation, metrics),
            "/".join(str(count) for count in dict.fromkeys(queries)),
            str(evaluation.gallery_size),
        )
        if evaluation.reranked:
            table.add_row("  re-ranked", *_percent(evaluation.reranked, metrics), "", "")
    table.caption = "\n".join(_notes(evaluations))
    table.caption_justify = "left"
    return table


def _percent(evaluation: Evaluation, metrics: Sequence[str]) -> list[str]:
    means = evaluation.means
    return [f"{100 * means[metric]:.2f}" for metric in metrics]


def _notes(evaluations: Sequence[Evaluation]) -> list[str]:
    """Say what the numbers are, and what was counted because it departs from the protocol's ideal."""
    notes = ["percent, mean over the trials"]
    if any(evaluation.skipped_queries for evaluation in evaluations):
        notes.append("queries: those with a match in the gallery, which count / all")
    reranking = evaluations[0].reranked and evaluations[0].reranked.reranking
    if reranking:
        k1, k2, lambda_value = reranking.k1, reranking.k2, reranking.lambda_value
        notes.append(f"re-ranked: by k-reciprocal neighbours, k1 {k1}, k2 {k2}, lambda {lambda_value}")
    for evaluation in evaluations:
        cells, shots = evaluation.selection.short_cells, evaluation.protocol.shots
        if cells:
            notes.append(
                f"{evaluation.protocol.name}: {cells} pairs of identity and camera have fewer than {shots} images"
            )
    return notes
