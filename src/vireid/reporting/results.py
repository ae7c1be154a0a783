"""Results as files.

`metrics.json` for comparing runs, `evaluation.json` for knowing what a number means, `cmc.csv` for plots.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features
from vireid.support.files import replacing, sha256, write_json

_CMC_RANKS = 100


def write_metrics(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write the means over trials, numbers only, percent, nested by the parts of the protocols' names."""
    write_json(path, nested_metrics(evaluations))


def nested_metrics(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the means over trials in percent, nested by the parts of the protocols' names."""
    root: dict[str, Any] = {}
    for evaluation in evaluations:
        node = root
        for part in evaluation.protocol.name.split("/"):
            node = node.setdefault(part, {})
        node.update(percent(evaluation.means))
        if evaluation.reranked:
            node["reranked"] = percent(evaluation.reranked.means)
    return root


def write_evaluation(
    path: Path, evaluations: Sequence[Evaluation], features: Features, features_path: Path
) -> None:
    """Write everything that stands behind the metrics: source, protocols, sizes, every trial; percent."""
    info = features.info
    write_json(
        path,
        {
            "schema": "vireid.evaluation/1",
            "dataset": info.dataset,
            "trial": info.trial,
            "source_hash": info.source_hash,
            "method": info.method,
            "embedding": features.embedding,
            "superresolve": info.superresolve,
            "flip": info.flip,
            "model_hash": info.model_hash,
            "train_identities": len(info.train_pids),
            "features_hash": sha256(features_path),
            "protocols": {e.protocol.name: _details(e, features) for e in evaluations},
        },
    )


def write_cmc(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write one row for each protocol and rank down to 100: `protocol`, `rank`, `matched`: the mean over trials.

    It is in percent. Rows and not columns, so that one plot in dvc.yaml fits the protocols of every data set.
    """
    tables = []
    for evaluation in evaluations:
        matched = 100 * evaluation.cmc.mean(axis=0)[:_CMC_RANKS]
        ranks = np.arange(1, len(matched) + 1)
        tables.append(pd.DataFrame({"protocol": evaluation.protocol.name, "rank": ranks, "matched": matched}))
    with replacing(path) as partial:
        pd.concat(tables).to_csv(partial, index=False, float_format="%.4f", lineterminator="\n")


def _details(evaluation: Evaluation, features: Features) -> dict[str, Any]:
    selection = evaluation.selection
    names = features.group(evaluation.protocol.gallery_modality).name[selection.pool]
    return {
        "protocol": evaluation.protocol.as_dict(),
        "queries": len(selection.asked[0]),
        "valid_queries": evaluation.valid_queries,
        "skipped_queries": evaluation.skipped_queries,
        "gallery_size": evaluation.gallery_size,
        "gallery_identities": selection.identities,
        "short_cells": selection.short_cells,
        "junk_queries": selection.junk_queries,
        "junk_gallery": selection.junk_gallery,
        "blank_ranks": list(evaluation.blank_ranks),
        **_over_trials(evaluation),
        "trials": [
            {
                "gallery_hash": _names_hash(names[gallery]),
                "valid_queries": int(evaluation.valid_by_trial[trial]),
                "skipped_queries": len(selection.asked[trial]) - int(evaluation.valid_by_trial[trial]),
            }
            | _of_trial(evaluation, trial)
            for trial, gallery in enumerate(selection.galleries)
        ],
        **(_reranked(evaluation.reranked) if evaluation.reranked else {}),
    }


def _reranked(evaluation: Evaluation) -> dict[str, Any]:
    trials = [_of_trial(evaluation, trial) for trial in range(len(evaluation.selection.galleries))]
    parameters = evaluation.reranking.model_dump() if evaluation.reranking else {}
    return {"reranked": {"parameters": parameters, **_over_trials(evaluation), "trials": trials}}


def _over_trials(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "mean": percent(evaluation.means),
        "std": percent(evaluation.deviations),
        "interval95": {name: [100 * low, 100 * high] for name, (low, high) in evaluation.intervals.items()},
    }


def _of_trial(evaluation: Evaluation, trial: int) -> dict[str, float]:
    return percent({name: float(values[trial]) for name, values in evaluation.metrics.items()})


def _names_hash(names: np.ndarray) -> str:
    """Hash a gallery's image names, so that two people can tell whether theirs are the same."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def percent(fractions: dict[str, float]) -> dict[str, float]:
    """Turn fractions into percent."""
    return {name: 100 * value for name, value in fractions.items()}
