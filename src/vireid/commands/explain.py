"""`vireid explain`: what in two pictures makes the model think that they show the same person?"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.commands.devices import DEVICE, DeviceName
from vireid.defaults import EMBEDDING
from vireid.support.errors import reports_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vireid.data.records import Modality
    from vireid.explanation.figure import ModelExplained
    from vireid.explanation.grad_cam import Explanation
    from vireid.explanation.subjects import Asked


class Against(StrEnum):
    """With what a picture is compared."""

    PARTNER = "partner"
    ITSELF = "itself"


NAMES = typer.Argument(metavar="[IMAGES]...", help="Images of the data set, by their names in images.h5.")
VISIBLE = typer.Option(help="A visible picture file; may be repeated.")
INFRARED = typer.Option(help="An infrared picture file; may be repeated.")
PID = typer.Option(help="An identity of the data set: its first visible and infrared image; may be repeated.")
MODEL = typer.Option(
    help="Model folder, written by train; may be repeated, to see several models on the same pictures.",
    show_default="artifacts/model",
)
LAYER = typer.Option(
    help="stage1 to stage4 of the trunk, or the path of any module; may be repeated. Without it the stages that "
    "both spectra share, or all four where they share none."
)
AGAINST = typer.Option(help="What a picture is compared with; one without partner is compared with itself.")
EMBEDDING_OPTION = typer.Option(help="An embedding of the model, or the one its paper ranks.")
OUTPUT = typer.Option(help="Picture to write (PNG).")
IMAGES = typer.Option(help="Packed images of the data set, written by ingest.")


@reports_errors
def explain(
    names: Annotated[list[str] | None, NAMES] = None,
    visible: Annotated[list[Path] | None, VISIBLE] = None,
    infrared: Annotated[list[Path] | None, INFRARED] = None,
    pid: Annotated[list[int] | None, PID] = None,
    model: Annotated[list[Path] | None, MODEL] = None,
    layer: Annotated[list[str] | None, LAYER] = None,
    against: Annotated[Against, AGAINST] = Against.PARTNER,
    embedding: Annotated[str, EMBEDDING_OPTION] = EMBEDDING,
    output: Annotated[Path, OUTPUT] = Path("explain.png"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    device: Annotated[DeviceName, DEVICE] = DeviceName.CPU,
) -> None:
    """Show where in a visible and an infrared picture the model sees the same person (Grad-CAM).

    Draws one row for each pair: the two pictures side by side, then each layer's map over both of them. The first
    infrared picture is compared with the first visible one, and so on; a picture without partner, with itself.

    A map shows what raises the cosine similarity of the two embeddings, the score that ranks a gallery: bright
    places speak for the match, dark ones do not, or speak against it. Each map is scaled to its own largest value,
    so compare places within a map, not brightness across maps. (Grad-CAM: Selvaraju et al., ICCV 2017.)

    Of a person of the data set: vireid explain --pid 441

    Of two of its images: vireid explain cam1/0441/0002.jpg cam3/0441/0001.jpg --layer stage3 --layer stage4

    Of your own pictures: vireid explain --visible a.jpg --infrared b.jpg --model artifacts/model --output why.png

    By two models: vireid explain --pid 441 --model artifacts/model --model other/model
    """
    from vireid.commands.outputs import check_output_file
    from vireid.explanation.figure import draw_explanations
    from vireid.explanation.subjects import Asked
    from vireid.support.files import replacing
    from vireid.training.model_folder import require_model

    asked = Asked(names or [], visible or [], infrared or [], pid or [])
    asked.check(images)
    folders = list(dict.fromkeys(model or [Path("artifacts/model")]))
    for folder in folders:
        require_model(folder)
    of_models = [folder / name for folder in folders for name in ("model.json", "weights.safetensors")]
    check_output_file("--output", output, inputs=[*asked.visible, *asked.infrared, images, *of_models])
    models = []
    for folder in folders:
        explained = _explained(folder, asked, images, layer, against, embedding, device)
        typer.echo("\n".join([*([f"{folder}:"] if len(folders) > 1 else []), *_compared(explained.rows)]))
        models.append(explained)
    by = f" by {models[0].ranked}" * (len(models) == 1)
    note = f"Grad-CAM of the similarity{by}\neach map is scaled to its own largest value"
    with replacing(output) as partial:
        draw_explanations(partial, models, note)
    for explained in models:
        where = f" in {explained.folder}" * (len(models) > 1)
        typer.echo(f"{output}: {', '.join(explained.layers)} of {explained.ranked}{where}")


def _explained(
    folder: Path,
    asked: "Asked",
    images: Path,
    layers: list[str] | None,
    against: Against,
    embedding: str,
    device: DeviceName,
) -> "ModelExplained":
    """Explain what was asked for by one model."""
    from contextlib import nullcontext

    from vireid.compute import all_cores
    from vireid.data.store import open_images
    from vireid.explanation.figure import ModelExplained
    from vireid.explanation.grad_cam import Explainer
    from vireid.explanation.layers import default_layers, sharing
    from vireid.explanation.subjects import gather

    with open_images(images) if asked.of_data_set else nullcontext() as reader:
        explainer = Explainer(folder, embedding, all_cores(device, "fp32"), reader.info if reader else None)
        pairs = gather(asked, reader, explainer.size, explainer.scaling, explainer.seen)
    names = list(dict.fromkeys(layers or default_layers(explainer.method)))
    rows = [explainer.explain(pair, names, against is Against.ITSELF) for pair in pairs]
    captions = _captions(names, sharing(explainer.method, names), rows)
    return ModelExplained(folder, f"{explainer.name}'s embedding {explainer.embedding}", rows, captions)


def _captions(layers: list[str], kinds: list[str], rows: "list[dict[Modality, Explanation]]") -> dict[str, str]:
    """Say of each layer whether the spectra share it, and how many places its map has."""
    sizes = [heat.shape for heat in next(iter(rows[0].values())).maps]
    return {
        name: ", ".join([*([kind] if kind else []), f"map of {height} x {width}"])
        for name, kind, (height, width) in zip(layers, kinds, sizes, strict=True)
    }


def _compared(rows: "Sequence[dict[Modality, Explanation]]") -> "Iterator[str]":
    """Say what was compared with what, and how alike it is."""
    for row in rows:
        shown = [f"{item.subject.name} ({_known(item)})" for item in row.values()]
        if any(item.alone for item in row.values()):
            yield from (f"{name}, compared with itself" for name in shown)
        else:
            similarity = next(iter(row.values())).similarity
            yield f"{' and '.join(shown)}: cosine similarity {similarity:.3f}"


def _known(item: "Explanation") -> str:
    subject = item.subject
    known = [subject.modality.group, subject.source, "seen in training" if subject.seen else ""]
    return ", ".join(filter(None, known))
