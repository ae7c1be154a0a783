"""`vireid export`: a trained model for other programs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors


class ExportFormat(StrEnum):
    """What to write."""

    ONNX = "onnx"
    HUGGINGFACE = "huggingface"


MODEL = typer.Argument(help="Model folder, written by train.")
FORMAT = typer.Option("--format", help="An ONNX file, or a folder for the Hugging Face hub.")
OUTPUT = typer.Option(help="File or folder to write; model.onnx or model-hub without it.")
EVALUATION = typer.Option(help="Numbers for the model card (huggingface).")
UNEVALUATED = typer.Option("--unevaluated", help="Write a model card without numbers (huggingface).")


@reports_errors
def export(
    model: Annotated[Path, MODEL] = Path("artifacts/model"),
    export_format: Annotated[ExportFormat, FORMAT] = ExportFormat.ONNX,
    output: Annotated[Path | None, OUTPUT] = None,
    evaluation: Annotated[Path, EVALUATION] = Path("results/evaluation.json"),
    unevaluated: Annotated[bool, UNEVALUATED] = False,
) -> None:
    """Write a trained model in a format that other programs read.

    onnx: one file that ONNX Runtime and others compute. Inputs are `images`, uint8 RGB of any number of images,
    (images, height, width, 3), and `infrared`, one truth value: true if they are infrared, false if visible.
    ImageNet's normalisation is in the file. Outputs are the embeddings by name, float32, not normalised: compare
    them by cosine similarity. Size of the images, names and the weights' hash are in the file's metadata.
    `vireid search --model model.onnx` works.

    huggingface: a folder with model.safetensors, config.json and a model card (README.md): data set, protocols,
    numbers with intervals, licences. It is a model folder like any other: `vireid search --model FOLDER`.
    Nothing is uploaded.

    Example: vireid export artifacts/model --format onnx --output person.onnx
    """
    if export_format is ExportFormat.ONNX:
        _export_onnx(model, output or Path("model.onnx"))
    else:
        _export_hugging_face(model, output or Path("model-hub"), None if unevaluated else evaluation)


def _export_onnx(model: Path, output: Path) -> None:
    from vireid.commands.outputs import check_output_file
    from vireid.search.embedder import ONNX_SUFFIX
    from vireid.support.progress import console
    from vireid.training.model_folder import require_model

    if output.suffix != ONNX_SUFFIX:
        remedy = f"name it {output.with_suffix(ONNX_SUFFIX)}"
        raise UserError(
            "--output", "not the name of an ONNX file", expected=f"*{ONNX_SUFFIX}", found=output, remedy=remedy
        )
    check_output_file("--output", output)
    require_model(model)
    with console.status("import, trace and convert the network"):
        from vireid.export.onnx_model import export_onnx

        told = export_onnx(model, output)
    dims = ", ".join(f"{name} ({dim})" for name, dim in told.embeddings.items())
    typer.echo(f"{output}: {told.method}, {output.stat().st_size / 2**20:.1f} MiB")
    typer.echo(f"in:  {told.input}\n     {told.spectrum}")
    typer.echo(f"out: {dims}; the first is ranked")


def _export_hugging_face(model: Path, output: Path, evaluation: Path | None) -> None:
    from vireid.commands.outputs import check_output_names
    from vireid.export.hugging_face import CARD, FILES, export_hugging_face

    check_output_names("--output", output, FILES)
    export_hugging_face(model, output, evaluation)
    typer.echo(f"{output}: {', '.join(sorted(FILES))}")
    typer.echo(f"read {output / CARD} and state the licence before you publish it")
