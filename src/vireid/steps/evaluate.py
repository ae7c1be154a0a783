"""The step `evaluate`: the gallery ranked for every query, and what the protocols of the field report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vireid.datasets.protocols import protocol_named
from vireid.params import Evaluate, Params
from vireid.reporting.results import write_cmc, write_evaluation, write_metrics
from vireid.retrieval.collapse import collapse_warning
from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features, read_features, require_split
from vireid.retrieval.reranked import evaluate_as_asked


@dataclass(frozen=True)
class EvaluatedFeatures:
    """Features and their results.

    Attributes:
        features: What was evaluated.
        evaluations: A result for each protocol, in order.
        warnings: What makes the numbers say less than they seem to.
    """

    features: Features
    evaluations: Sequence[Evaluation]
    warnings: Sequence[str]

    @property
    def title(self) -> str:
        """What the results are of."""
        return f"{self.features.info.method}, embedding {self.features.embedding}"


def evaluate(params: Params, features: Path, metrics: Path, evaluation: Path, cmc: Path) -> EvaluatedFeatures:
    """Evaluate a run's features and write the results.

    Args:
        params: Reads `evaluate`, `dataset.name`, `dataset.trial` and `dataset.gallery_draw`.
        features: Features file, written by extract or by any other tool.
        metrics: JSON to write: means over the trials, percent.
        evaluation: JSON to write: protocols, sources, sizes and every trial.
        cmc: CSV to write: the CMC of every protocol, percent.

    Raises:
        UserError: If the features cannot be read or are of another data set or trial, or a protocol has no match.
    """
    source = read_features(features, params.evaluate.embedding)
    require_split(features, source.info, params.dataset)
    evaluated = evaluate_features(source, params.evaluate, params.dataset.gallery_draw)
    write_cmc(cmc, evaluated.evaluations)
    write_evaluation(evaluation, evaluated.evaluations, source, features)
    write_metrics(metrics, evaluated.evaluations)
    return evaluated


def evaluate_features(
    features: Features, settings: Evaluate, draw: str, *, as_given: bool = False
) -> EvaluatedFeatures:
    """Evaluate features by the protocols that the settings name.

    Args:
        features: Embeddings of the test images.
        settings: Protocols, ranks, and whether to re-rank.
        draw: `official` for SYSU-MM01's own galleries, `seeded` for the community's.
        as_given: Compare embeddings without scaling them to unit length first.

    Raises:
        UserError: If a protocol is of another data set, or leaves no query with a match.
    """
    protocols = [protocol_named(name, draw, features.info.dataset) for name in settings.protocols]
    protocols = [replace(item, normalise=item.normalise and not as_given) for item in protocols]
    evaluations = evaluate_as_asked(features, protocols, settings)
    warning = collapse_warning(features, protocols[0])
    return EvaluatedFeatures(features, evaluations, [warning] if warning else [])
