"""`vireid evaluate`: evaluate any features file, outside the pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vireid.defaults import EMBEDDED_PIDS, EMBEDDING, K1, K2, LAMBDA_VALUE, RANKED_QUERIES, RANKS, WORST_QUERIES
from vireid.support.errors import UserError, reports_errors

_UNKNOWN_TRAINING = (
    "the file names no training identities (train_pids is empty), so nothing tells whether the model was trained "
    "on test identities"
)


FEATURES = typer.Argument(help="Features file, by extract or by any other tool.")
PROTOCOL = typer.Option("--protocol", help="Protocol by name; again for more. Without it all of the data set.")
EMBEDDING_OPTION = typer.Option(help="An embedding of the file, or the file's own default.")
RANK = typer.Option("--rank", min=1, help="Rank of the CMC; again for more.")
OFFICIAL = typer.Option("--official/--seeded", help="SYSU-MM01's own galleries, or the community's.")
AS_GIVEN = typer.Option("--as-given", help="Compare embeddings without scaling them to unit length first.")
JSON = typer.Option(help="JSON to write: protocols, sources, means, deviations, every trial.")
RERANK = typer.Option("--rerank", help="Report k-reciprocal re-ranking as well.")
K1_OPTION = typer.Option(
    "--k1", min=1, help="With --rerank: neighbours among which reciprocal ones are sought.", show_default=str(K1)
)
K2_OPTION = typer.Option(
    "--k2", min=1, help="With --rerank: neighbours whose encodings are averaged.", show_default=str(K2)
)
LAMBDA = typer.Option(
    "--lambda", min=0, max=1, help="With --rerank: share of the original distance.", show_default=str(LAMBDA_VALUE)
)
FIGURES = typer.Option(help="Folder to write: cmc.png, distances.png, embedding_map.png.")
IMAGES = typer.Option(help="Images file of the same data set, for ranked_lists.png and worst_queries.png too.")


@reports_errors
def evaluate(
    features: Annotated[Path, FEATURES],
    protocols: Annotated[list[str] | None, PROTOCOL] = None,
    embedding: Annotated[str, EMBEDDING_OPTION] = EMBEDDING,
    ranks: Annotated[list[int], RANK] = RANKS,
    official: Annotated[bool, OFFICIAL] = False,
    as_given: Annotated[bool, AS_GIVEN] = False,
    rerank: Annotated[bool, RERANK] = False,
    k1: Annotated[int | None, K1_OPTION] = None,
    k2: Annotated[int | None, K2_OPTION] = None,
    lambda_value: Annotated[float | None, LAMBDA] = None,
    json: Annotated[Path | None, JSON] = None,
    figures: Annotated[Path | None, FIGURES] = None,
    images: Annotated[Path | None, IMAGES] = None,
) -> None:
    """Evaluate a features file by the protocols of the field, and print a table.

    The file may come from any tool: docs/formats.md describes the format, docs/features.md writes one. Whether a
    model was trained on test identities can only be checked where the file names its training identities.

    Example: vireid evaluate features.h5 --protocol sysu_mm01/all_search/single_shot --json result.json
    """
    from vireid.datasets.protocols import protocols_of
    from vireid.params import Evaluate, Figures, Reranking
    from vireid.reporting.figures import Sources, draw_figures
    from vireid.reporting.results import write_evaluation
    from vireid.reporting.results_table import print_results
    from vireid.retrieval.features import read_features
    from vireid.steps.evaluate import evaluate_features

    _require_use("--rerank", rerank, {"--k1": k1, "--k2": k2, "--lambda": lambda_value})
    _require_use("--figures DIR", figures is not None, {"--images": images})
    _check_outputs(features, json, figures)
    source = read_features(features, embedding)
    settings = Evaluate(
        protocols=protocols or protocols_of(source.info.dataset),
        ranks=sorted(set(ranks)),
        embedding=embedding,
        rerank=rerank,
        reranking=Reranking(
            k1=K1 if k1 is None else k1,
            k2=K2 if k2 is None else k2,
            lambda_value=LAMBDA_VALUE if lambda_value is None else lambda_value,
        ),
    )
    evaluated = evaluate_features(source, settings, "official" if official else "seeded", as_given=as_given)
    print_results(evaluated.title, evaluated.evaluations)
    unknown = [] if len(source.info.train_pids) else [_UNKNOWN_TRAINING]
    for warning in [*unknown, *evaluated.warnings]:
        typer.echo(f"warning: {warning}", err=True)
    if json is not None:
        write_evaluation(json, evaluated.evaluations, source, features)
    if figures is not None:
        shown = Figures(ranked_queries=RANKED_QUERIES, worst_queries=WORST_QUERIES, embedded_pids=EMBEDDED_PIDS)
        left_out = draw_figures(figures, evaluated.evaluations, source, Sources(images, training=None), shown)
        for name, reason in left_out.items():
            typer.echo(f"not drawn: {name}: {reason}", err=True)


def _require_use(option: str, is_given: bool, dependent: Mapping[str, object]) -> None:
    """Refuse options that do nothing without another one, rather than pass over them.

    Args:
        option: The other one.
        is_given: Whether it is there.
        dependent: The options that need it, None where one is not given.
    """
    needless = [name for name, value in dependent.items() if value is not None]
    if needless and not is_given:
        raise UserError(
            ", ".join(needless),
            f"it does nothing without {option}",
            expected=option,
            found=f"no {option.split()[0]}",
            remedy=f"add {option}, or leave {' and '.join(needless)} out",
        )


def _check_outputs(features: Path, json: Path | None, figures: Path | None) -> None:
    from vireid.commands.outputs import check_output_file, check_output_folder

    if json is not None:
        check_output_file("--json", json, inputs=[features])
    if figures is not None:
        check_output_folder("--figures", figures, ".png")
