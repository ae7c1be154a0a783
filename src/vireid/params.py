"""The strict, typed mirror of `params.yaml`.

There are no defaults here: a default that is not in `params.yaml` would be invisible to DVC. The sections
`model` and `loss` belong to the chosen method, which declares and checks them in its own file.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vireid.support.errors import UserError
from vireid.support.yaml_files import read_yaml

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Percentile = Annotated[float, Field(ge=0, le=100)]
Bound = TypeVar("Bound", bound=float)


def _ascending(bounds: list[float]) -> list[float]:
    if not bounds[0] < bounds[1]:
        raise ValueError("the first number must be below the second")
    return bounds


Interval = Annotated[list[Bound], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class Section(BaseModel):
    """A group of parameters: unknown keys, values of another type and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SixteenBit(Section):
    """How grey images of 16 bits or floating-point numbers are brought to eight bits.

    Attributes:
        scaling: What becomes black and white: 0 and 65535 (`full`), the values of `window`, or those that stand at
            `percentiles` of each image's own pixels.
        window: Two pixel values, for `window`.
        percentiles: Two numbers from 0 to 100, for `percentiles`.
    """

    scaling: Literal["full", "window", "percentiles"]
    window: Interval[float]
    percentiles: Interval[Percentile]


def _known_name(name: str) -> str:
    from vireid.datasets import data_set_names

    return _one_of(name, data_set_names())


def _known_layout(layout: str) -> str:
    from vireid.datasets import data_sets

    return _one_of(layout, list(data_sets()))


def _one_of(value: str, known: list[str]) -> str:
    if value not in known:
        raise PydanticCustomError("unknown", "one of {known}", {"known": ", ".join(known)})
    return value


class Dataset(Section):
    """Which images, and under which name results are reported."""

    name: Annotated[str, AfterValidator(_known_name)]
    layout: Annotated[str, AfterValidator(_known_layout)]
    root: Annotated[str, Field(min_length=1)]
    train_on_val: bool
    gallery_draw: Literal["seeded", "official"]
    trial: Annotated[int, Field(ge=0)]
    sixteen_bit: SixteenBit

    @field_validator("root")
    @classmethod
    def _is_as_dvc_reads_it(cls, root: str) -> str:
        expanded = os.path.expandvars(os.path.expanduser(root))  # noqa: PTH111 Path's raises for an unknown user
        if expanded != root:
            raise PydanticCustomError(
                "root",
                "a path without `~` and variables, which shells expand but DVC does not: {expanded}",
                {"expanded": expanded},
            )
        return root


class Ingest(Section):
    """Size of the packed images (pixels), and what to do about an unreadable one.

    Up to 32 pixels a trunk's last map is one pixel wide. On processors with AMX, a strided bf16 convolution leaves
    such a map unwritten in memory, and its gradient too (seen in torch 2.14: losses of NaN).
    """

    height: Annotated[int, Field(ge=33)]
    width: Annotated[int, Field(ge=33)]
    on_bad_image: Literal["error", "skip"]


class Size(Section):
    """Height and width in pixels."""

    height: Annotated[int, Field(ge=8)]
    width: Annotated[int, Field(ge=8)]


class Superresolve(Section):
    """SRCNN, and the one visible camera whose training images it replaces (FPRnet paper, Table 7).

    SRCNN enlarges 4x: it learns from images of 4x `input`, and is applied to images scaled to `apply`. What it
    makes of them is reduced to `output` (paper: 256x256), and then resized to the packed size as any image is.
    """

    enabled: bool
    camera: Count
    input: Size
    apply: Size
    output: Size
    residual: bool
    dropout: Probability
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    momentum: Probability
    lr_drop_at: Probability
    iterations: Count
    batch_size: Count
    patch: Annotated[int, Field(ge=0, multiple_of=4)]
    holdout_pids: Count

    @field_validator("patch")
    @classmethod
    def _fits_the_images(cls, patch: int, info: ValidationInfo) -> int:
        size = info.data.get("input")  # absent where it is itself wrong
        if size is not None and patch > 4 * min(size.height, size.width):
            raise PydanticCustomError(
                "patch",
                "at most {largest}, the shorter side of 4x superresolve.input; 0 trains on whole images",
                {"largest": 4 * min(size.height, size.width)},
            )
        return patch


class Augmentation(Section):
    """Random changes of training images; a probability of 0 switches one off."""

    pad: Annotated[int, Field(ge=0)]
    flip: Probability
    erase: Probability
    channel_mix: Probability
    signed_mix: bool
    zoom: Probability
    channel_exchange: Probability


class Train(Section):
    """Batches, optimiser, learning rate over the epochs, and held-out identities."""

    num_pids: Annotated[int, Field(ge=2)]
    num_instances: Count
    epochs: Count
    steps_per_epoch: Literal["full"] | Count
    optimizer: Literal["adamw", "adam", "sgd"]
    lr: Positive
    momentum: Probability
    nesterov: bool
    weight_decay: NonNegative
    clip_norm: NonNegative
    warmup_epochs: Annotated[int, Field(ge=0)]
    schedule: Literal["cosine", "step"]
    milestones: list[Count]
    gamma: Positive
    holdout_pids: Annotated[int, Field(ge=0)]
    validate_every: Count
    augmentation: Augmentation


class Extract(Section):
    """Embedding of the test images, each alone or together with its mirror image."""

    batch_size: Count
    flip: bool


class Reranking(Section):
    """K-reciprocal re-ranking, by the names of its paper: Z. Zhong et al., CVPR 2017 (20, 6 and 0.3).

    Attributes:
        k1: Neighbours among which reciprocal ones are sought.
        k2: Neighbours whose encodings are averaged; 1 averages nothing.
        lambda_value: Share of the original distance in the final one.
    """

    k1: Count
    k2: Count
    lambda_value: Probability


class Evaluate(Section):
    """Protocols by name, the ranks to report, the embedding that is ranked, and re-ranking beside it."""

    protocols: Annotated[list[str], Field(min_length=1)]
    ranks: Annotated[list[Count], Field(min_length=1)]
    embedding: str
    rerank: bool
    reranking: Reranking


class Figures(Section):
    """How much the figures show."""

    ranked_queries: Count
    worst_queries: Count
    embedded_pids: Count


class DeviceSettings(Section):
    """Device, arithmetic and threads; `auto` takes what the machine has, and what it took is recorded."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    threads: Count
    workers: Count


class Compute(DeviceSettings):
    """The same for a run.

    Attributes:
        devices: How many of the device training uses, with a process each.
        deterministic: Whether operations that do not repeat to the bit are refused (true), told (warn) or taken.
        image_memory: GiB that the training images may take.
        save_every: Steps between two states of a training within an epoch; 0 saves after epochs only.
    """

    devices: Count
    deterministic: bool | Literal["warn"]
    image_memory: NonNegative
    save_every: Annotated[int, Field(ge=0)]


class Params(Section):
    """Everything that describes a run."""

    seed: Annotated[int, Field(ge=0)]
    dataset: Dataset
    ingest: Ingest
    superresolve: Superresolve
    method: str
    recipe: str
    schedule: str
    model: dict[str, Any]
    loss: dict[str, Any]
    train: Train
    extract: Extract
    evaluate: Evaluate
    figures: Figures
    compute: Compute


AnySection = TypeVar("AnySection", bound=Section)


def load_params(path: Path) -> Params:
    """Read and check a parameters file.

    Raises:
        UserError: If the file is missing or is not YAML; if a key is unknown, missing, of another type or out
            of range.
    """
    try:
        remedy = f"mend it; `git checkout {path}` brings back the committed one and drops your changes"
        values = read_yaml(path, remedy)
    except FileNotFoundError as error:
        raise UserError(
            path,
            "the file is missing",
            expected="a parameters file",
            found="nothing",
            remedy="run in the root of the project, or `git checkout params.yaml`",
        ) from error
    return check_section(Params, values, where=str(path), remedy=f"correct it in {path}")


def check_section(section: type[AnySection], values: Any, where: str, remedy: str) -> AnySection:
    """Check values against a section's types and ranges.

    Args:
        section: The typed section.
        values: What the YAML holds for it.
        where: Name for messages: a file, or a file and a key.
        remedy: What to do about a wrong value, for messages.

    Raises:
        UserError: Naming every key that is wrong, its value and what is allowed.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problems = defaultdict(list)
        for problem in error.errors():
            problems[_key(problem)].append(problem)
        raise UserError(
            where,
            f"wrong parameter{'s' if len(problems) > 1 else ''}: {', '.join(problems)}",
            expected="; ".join(" or ".join(_expected(section, p) for p in same) for same in problems.values()),
            found="; ".join(_found(same[0]) for same in problems.values()),
            remedy=remedy,
        ) from error


def _key(problem: Mapping[str, Any]) -> str:
    """Name the key, without pydantic's names for the alternatives that one value may have."""
    parts = (str(part) for part in problem["loc"])
    named = (part for part in parts if not re.search(r"[^\w]", part) and part not in ("int", "bool"))
    return ".".join(named) or "the section"


def _expected(section: type[Section], problem: Mapping[str, Any]) -> str:
    """Say what one key may be: for an unknown key, the keys of the (nested) section it was found in."""
    if problem["type"] != "extra_forbidden":
        return problem["msg"].removeprefix("Value error, ")
    kind: Any = section
    for part in problem["loc"][:-1]:
        kind = get_args(kind)[1] if get_origin(kind) is dict else kind.model_fields[part].annotation
    return f"no key {problem['loc'][-1]!r}, but one of {', '.join(kind.model_fields)}"


def _found(problem: Mapping[str, Any]) -> str:
    return "nothing" if problem["type"] == "missing" else repr(problem["input"])
