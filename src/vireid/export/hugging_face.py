"""A model in the layout of the Hugging Face hub: weights, configuration, and a model card."""

import json
import shutil
from pathlib import Path
from typing import Any

from vireid.export.model_card import model_card
from vireid.support.errors import UserError
from vireid.support.files import remedy_of_missing, replacing
from vireid.training.model_folder import HUB_NAMES, read_description, require_model

CARD = "README.md"
FILES = {*HUB_NAMES, CARD}


def export_hugging_face(folder: Path, output: Path, evaluation: Path | None) -> None:
    """Write the folder whole: `model.safetensors`, `config.json` and the card, README.md.

    Args:
        folder: The model, written by `save_model`.
        output: The folder to write.
        evaluation: `results/evaluation.json` of this model; None leaves numbers out of the card.

    Raises:
        UserError: If the model or the evaluation cannot be read, or the evaluation is of another model.
    """
    description, model_hash = read_description(folder)
    results = None if evaluation is None else _read_evaluation(evaluation, model_hash)
    card = model_card(description, model_hash, results)
    with replacing(output) as partial:
        partial.mkdir()
        for source, name in zip(require_model(folder), HUB_NAMES, strict=True):
            shutil.copyfile(source, partial / name)
        (partial / CARD).write_text(card.content, encoding="utf-8")


def _read_evaluation(path: Path, model_hash: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(
            path,
            "there is no evaluation",
            expected="the numbers for the model's card",
            found="no such file",
            remedy=remedy_of_missing(
                path, "run `dvc repro evaluate`, or leave the numbers out with --unevaluated"
            ),
        )
    try:
        content: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        measured = content["model_hash"]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            path,
            "not an evaluation",
            expected="JSON with a model_hash",
            found=error,
            remedy="write it again with `dvc repro evaluate`",
        ) from error
    if measured != model_hash:
        raise UserError(
            path,
            "an evaluation of another model",
            expected=model_hash,
            found=measured,
            remedy="evaluate this one with `dvc repro evaluate`, or name its evaluation with --evaluation",
        )
    return content
