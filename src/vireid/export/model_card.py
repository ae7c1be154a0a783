"""What a published model says about itself: data, protocols, numbers with intervals, licences, limits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from vireid.support.tables import NOTHING, markdown_table
from vireid.training.model_folder import ModelDescription

METRICS = {"rank1": "rank-1", "rank10": "rank-10", "mAP": "mAP", "mINP": "mINP"}
_LIMITS = """## What it is for, and what not

It ranks pictures of persons, cut to one person each, by how likely they show the person of a picture from another
camera; query and gallery may be of different spectra. It was measured on the data set above and says nothing about
other cameras. A near picture is no proof of identity. To search for real people may need their consent, or be
against the law; whoever uses it answers for that.
"""


def model_card(description: ModelDescription, model_hash: str, evaluation: Mapping[str, Any] | None) -> ModelCard:
    """Write a model's card.

    Args:
        description: Of the model.
        model_hash: SHA-256 of the weights.
        evaluation: Content of `results/evaluation.json`, of this model; None says that it was not evaluated.
    """
    name = f"vireid-{description.method}-{description.images['dataset']}"
    data = ModelCardData(
        library_name="vireid",
        pipeline_tag="image-feature-extraction",
        tags=["person-re-identification", "visible-infrared", description.method],
        license="other",
        model_name=name,
        eval_results=_eval_results(evaluation) if evaluation else None,
    )
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {name}",
        f"Embeddings of visible and infrared pictures of persons, by the method `{description.method}` of vireid.",
        _use(description),
        _training(description, model_hash),
        _numbers(evaluation),
        _licences(description),
        _LIMITS,
    ]
    return ModelCard("\n\n".join(parts), ignore_metadata_errors=False)


def _use(description: ModelDescription) -> str:
    height, width = description.images["height"], description.images["width"]
    return f"""## How to use it

```console
$ vireid search query.jpg --gallery photos --model THIS_FOLDER --query-modality infrared --gallery-modality visible
```

Pictures are scaled to {height}x{width} pixels (height x width), and ImageNet's mean and deviation are taken off;
vireid does both. `config.json` holds everything that the network is built from."""


def _training(description: ModelDescription, model_hash: str) -> str:
    images = description.images
    trained_on, chosen_by = len(description.train_pids), len(description.holdout_pids)
    rows = {
        "data set": images["dataset"] + (f", trial {images['trial']}" if images["trial"] else ""),
        "training identities": f"{trained_on}, and {chosen_by} that chose the epoch",
        "super-resolution": images["superresolve"],
        "epoch": str(description.selected_epoch + 1),
        "SHA-256 of the weights": f"`{model_hash}`",
    }
    return "## Training\n\n" + _table(("", ""), rows.items())


def _numbers(evaluation: Mapping[str, Any] | None) -> str:
    if evaluation is None:
        return "## Numbers\n\nNot evaluated."
    protocols = evaluation["protocols"].values()
    present = [metric for metric in METRICS if any(metric in protocol["mean"] for protocol in protocols)]
    rows = [_row(protocol, present) for protocol in protocols]
    table = _table(("protocol", "queries", "gallery", "CMC by", *(METRICS[metric] for metric in present)), rows)
    told = (
        "Percent, means over the galleries, with 95 % intervals over the query identities; embedding "
        f"`{evaluation['embedding']}`. Beside the images of a gallery stands how many galleries are drawn, and "
        "how; the CMC counts identities or images before the right one."
    )
    return f"## Numbers\n\n{told}\n\n{table}"


def _row(evaluated: Mapping[str, Any], metrics: Sequence[str]) -> tuple[str, ...]:
    """A protocol: its queries, its galleries, how it counts, and its numbers."""
    protocol, values = evaluated["protocol"], (_with_interval(evaluated, metric) for metric in metrics)
    drawn = f"{protocol['trials']} galleries ({protocol['gallery_draw']})"
    gallery = f"{evaluated['gallery_size']}, {'all images' if protocol['gallery_draw'] == 'all' else drawn}"
    return f"`{protocol['name']}`", str(evaluated["queries"]), gallery, protocol["cmc_counting"], *values


def _with_interval(evaluated: Mapping[str, Any], metric: str) -> str:
    if metric not in evaluated["mean"]:
        return NOTHING
    value = f"{evaluated['mean'][metric]:.1f}"
    if metric not in evaluated["interval95"]:
        return value
    low, high = evaluated["interval95"][metric]
    return f"{value} ({low:.1f} to {high:.1f})"


def _licences(description: ModelDescription) -> str:
    started = [
        f"- started from `{origin['name']}` ({origin['source']}), licence {origin['licence'] or 'not stated'}"
        for origin in description.pretrained_weights
    ] or ["- trained from random weights"]
    terms = (
        "- the data set has terms of its own, which may bind what was trained on it: state them before you publish"
    )
    return "## Licences\n\n" + "\n".join([*started, terms])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_table([head, ["---"] * len(head), *rows])


def _eval_results(evaluation: Mapping[str, Any]) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="image-feature-extraction",
            dataset_config=name,
            dataset_type=evaluation["dataset"],
            dataset_name=evaluation["dataset"],
            metric_type=metric,
            metric_name=label,
            metric_value=round(protocol["mean"][metric], 2),
        )
        for name, protocol in evaluation["protocols"].items()
        for metric, label in METRICS.items()
        if metric in protocol["mean"]
    ]
