"""Whether a run can go through, found out before any stage works: everything that is wrong, at once.

DVC removes a stage's outputs before it runs the stage. What is told here has cost nothing yet. Later stages repeat
what concerns them on what they really find, by the same functions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from vireid.data.identities import (
    require_both_modalities,
    require_even_shares,
    require_superresolved_identities,
    require_training_identities,
)
from vireid.data.records import ImageRecord, Modality
from vireid.datasets.find import find_images, require_root, wrong_choices
from vireid.datasets.protocol import Protocol
from vireid.datasets.protocols import all_protocols, protocol_named
from vireid.layers import flat
from vireid.params import Dataset, Params, load_params
from vireid.retrieval.features import DEFAULT, JOIN
from vireid.retrieval.galleries import select_images
from vireid.retrieval.listed import as_features, require_match
from vireid.support.errors import UserError
from vireid.support.yaml_files import read_yaml

LARGE_SHARE = 0.25
"""Of the training identities; to hold out so many is worth a word."""
_TOLD = 10  # changed parameters that are listed, besides those that the error names
_LONGEST = 60  # characters of a value in this list


def check_run(path: Path, lock: Path) -> list[str]:
    """Check a run's parameters: by themselves, against the method, the machine and the data set.

    Args:
        path: The parameters file.
        lock: DVC's lock file, which knows the values with which this check last passed.

    Returns:
        What is no mistake but worth a word.

    Raises:
        UserError: Naming all that is wrong; where types or ranges are, only these.
    """
    try:
        params = load_params(path)
        images = _check(path, params)
    except UserError as error:
        remedy = f"{error.remedy}\n{_way_back(path, lock, str(error))}"
        raise UserError(
            error.where, error.problem, expected=error.expected, found=error.found, remedy=remedy
        ) from error
    return notes(params, images)


def _check(path: Path, params: Params) -> list[ImageRecord]:
    from vireid.methods import check_recipe

    wrong: list[UserError] = []
    images = None
    with _noted(wrong):
        check_recipe(params)
        _require_embedding(params)
    if params.compute.device == "cuda":  # the one device that can be missing; its library takes a second to import
        from vireid.compute import choose_device

        with _noted(wrong):
            choose_device(params.compute)
    unusable = list(wrong_choices(params.dataset))
    with _noted(unusable):
        require_root(params.dataset)
    if not unusable:
        with _noted(unusable):
            images = find_images(params.dataset)
    wrong += unusable
    wrong += wrong_protocols(params) if images is None else problems(params, images)
    if wrong or images is None:
        raise together(path, wrong)
    return images


def problems(params: Params, images: Sequence[ImageRecord]) -> list[UserError]:
    """Find what would stop a run on a data set, some of it only at its end.

    Args:
        params: Reads `dataset`, `superresolve`, `train`, `evaluate` and `compute.devices`.
        images: What the data set's layout lists.
    """
    visible, infrared = (_of(images, "train", modality) for modality in Modality)
    pids, infrared_pids = ({r.pid for r in part} for part in (visible, infrared))
    wrong = wrong_protocols(params)
    with _noted(wrong):
        require_both_modalities(pids, infrared_pids)
    with _noted(wrong):
        require_training_identities(len(pids & infrared_pids), params.train)
    with _noted(wrong):
        require_even_shares(params.train.num_pids, params.compute.devices)
    if params.superresolve.enabled:
        camera = {r.pid for r in visible if r.camid == params.superresolve.camera}
        with _noted(wrong):
            require_superresolved_identities({r.camid for r in visible}, camera, params.superresolve)
    features = as_features(images, params.dataset)
    for chosen in _protocols(params):
        with _noted(wrong):
            require_match(features, chosen, select_images(features, chosen))
    return wrong


def wrong_protocols(params: Params) -> list[UserError]:
    """Find the protocols that do not exist, or are not for the data set.

    Args:
        params: Reads `dataset` and `evaluate`.
    """
    wrong: list[UserError] = []
    for name in params.evaluate.protocols:
        with _noted(wrong):
            protocol_named(name, params.dataset.gallery_draw, params.dataset.name)
    return wrong


def notes(params: Params, images: Sequence[ImageRecord]) -> list[str]:
    """Say what is no mistake but worth a word: many held-out identities, ranks that stay blank.

    Args:
        params: Reads `dataset`, `train` and `evaluate`.
        images: What the data set's layout lists.
    """
    from vireid.retrieval.evaluation import cmc_length

    count = len({r.pid for r in _of(images, "train", Modality.VISIBLE)})
    said = []
    if count and params.train.holdout_pids >= LARGE_SHARE * count:
        held_out = params.train.holdout_pids
        said.append(
            f"train.holdout_pids: {held_out} of {count} training identities ({100 * held_out / count:.0f} %) "
            f"are held out, so {count - held_out} are trained on"
        )
    features = as_features(images, params.dataset)
    lengths = {chosen: cmc_length(chosen, select_images(features, chosen)) for chosen in _protocols(params)}
    for rank in sorted(set(params.evaluate.ranks)):
        short = [f"{chosen.name} ({length})" for chosen, length in lengths.items() if rank > length]
        if short:
            said.append(
                f"evaluate.ranks: rank {rank} is left blank where a gallery is smaller: {', '.join(short)}"
            )
    return said


def remarks(path: Path, dataset: Dataset, images: Sequence[ImageRecord]) -> list[str]:
    """Say what a parameters file asks that a data set cannot give, one line each, before it is chosen.

    Args:
        path: The parameters file. Its protocols are looked at where it has a data set of the same layout.
        dataset: The data set; what the file says of another one does not matter.
        images: What the data set's layout lists.

    Raises:
        UserError: If the file cannot be read, or its values are wrong by themselves.
    """
    params = load_params(path)
    same = params.dataset.layout == dataset.layout
    dataset = dataset.model_copy(update={"name": params.dataset.name})
    evaluate = params.evaluate if same else params.evaluate.model_copy(update={"protocols": []})
    params = params.model_copy(update={"dataset": dataset, "evaluate": evaluate})
    wrong = [f"{e.where}: {e.problem} ({e.found}; expected: {e.expected})" for e in problems(params, images)]
    return wrong or notes(params, images)


def together(where: object, wrong: Sequence[UserError]) -> UserError:
    """Make one message of several, each with what was expected, what was there, and a remedy."""
    if len(wrong) == 1:
        return wrong[0]
    listed = [f"{number}. {error}".replace("\n", "\n     ") for number, error in enumerate(wrong, start=1)]
    return UserError(
        where,
        f"{len(wrong)} things are wrong",
        expected="parameters that fit each other and the data set",
        found="\n  " + "\n  ".join(listed),
        remedy="correct all of them",
    )


def _require_embedding(params: Params) -> None:
    """Check that the method offers what is ranked, which is else told after the training."""
    from vireid.methods import build_method

    names = [name for name in params.evaluate.embedding.split(JOIN) if name != DEFAULT]
    if not names:
        return
    known = build_method(params.method, 2, params.model, params.loss, from_scratch=True).embedding_dims
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            "evaluate.embedding",
            f"{params.method} has no embedding `{unknown[0]}`",
            expected=f"{', '.join(known)}, {DEFAULT}, or several of these joined by {JOIN}",
            found=params.evaluate.embedding,
            remedy="choose one of these",
        )


def _protocols(params: Params) -> list[Protocol]:
    """Look up the protocols that can be."""
    known = all_protocols()
    named = [known[name] for name in params.evaluate.protocols if name in known]
    return [protocol_named(p.name, params.dataset.gallery_draw) for p in named if p.dataset == params.dataset.name]


def _of(images: Sequence[ImageRecord], split: str, modality: Modality) -> list[ImageRecord]:
    return [record for record in images if (record.split, record.modality) == (split, modality)]


@contextmanager
def _noted(wrong: list[UserError]) -> Iterator[None]:
    """Keep an error for later."""
    try:
        yield
    except UserError as error:
        wrong.append(error)


def _way_back(path: Path, lock: Path, message: str) -> str:
    """Say what was changed since the check last passed, first what the message names, and how to undo it."""
    lines = [
        "  Earlier results are as they were. The parameters stay as they are, too: set one back by hand, or by",
        "  `dvc exp run -S KEY=VALUE`.",
    ]
    stages = _mapping(lock).get("stages", {})
    before = flat(stages.get("check", {}).get("params", {}).get(path.name, {}))
    after = flat(_mapping(path))
    if not before or not after:
        return "\n".join(lines)
    changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    named = [key for key in changed if re.search(rf"(?<![\w.]){re.escape(key)}(?!\.?\w)", message)]
    others = [key for key in changed if key not in named]
    if added := [key for key in named if key not in before]:
        removals = " ".join(f"-S '~{key}'" for key in added)
        lines.append(f"  Take out what was added by hand, or by `dvc exp run {removals}`.")
    lines.append("  Changed since this check last passed:")
    lines += [f"    {key}: {_short(before, key)} -> {_short(after, key)}" for key in named + others[:_TOLD]]
    if len(others) > _TOLD:
        lines.append(f"    and {len(others) - _TOLD} more")
    return "\n".join(lines)


def _short(values: Mapping[str, Any], key: str) -> str:
    return shorten(str(values.get(key, "(none)")), _LONGEST, placeholder=" ...")


def _mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file for a hint; what cannot be read holds nothing."""
    try:
        values = read_yaml(path)
    except (OSError, UserError):
        return {}
    return values if isinstance(values, dict) else {}
