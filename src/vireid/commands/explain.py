"""`vireid explain`: what in two pictures makes the model think that they show the same person?"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.commands.devices import DEVICE, DeviceName
from vireid.defaults import EMBEDDING
from vireid.support.errors import reports_errors

if TYPE_CHECKING:
    from vireid.data.records import Modality
    from vireid.explanation.grad_cam import Explanation


class Against(StrEnum):
    """With what a picture is compared."""

    PARTNER = "partner"
    ITSELF = "itself"


NAMES = typer.Argument(metavar="[IMAGES]...", help="Images of the data set, by their names in images.h5.")
VISIBLE = typer.Option(help="A visible picture file; may be repeated.")
INFRARED = typer.Option(help="An infrared picture file; may be repeated.")
PID = typer.Option(help="An identity of the data set: its first visible and infrared image; may be repeated.")
MODEL = typer.Option(help="Model folder, written by train.")
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
    model: Annotated[Path, MODEL] = Path("artifacts/model"),
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
    """
    from contextlib import nullcontext

    from vireid.commands.outputs import check_output_file
    from vireid.compute import all_cores
    from vireid.data.store import open_images
    from vireid.explanation.figure import draw_explanations
    from vireid.explanation.grad_cam import Explainer
    from vireid.explanation.layers import default_layers, sharing
    from vireid.explanation.subjects import Asked, gather
    from vireid.support.files import replacing
    from vireid.training.model_folder import require_model

    asked = Asked(names or [], visible or [], infrared or [], pid or [])
    asked.check(images)
    require_model(model)
    of_model = [model / name for name in ("model.json", "weights.safetensors")]
    check_output_file("--output", output, inputs=[*asked.visible, *asked.infrared, images, *of_model])
    with open_images(images) if asked.of_data_set else nullcontext() as reader:
        explainer = Explainer(model, embedding, all_cores(device, "fp32"), reader.info if reader else None)
        pairs = gather(asked, reader, explainer.size, explainer.scaling, explainer.seen)
    layers = list(dict.fromkeys(layer or default_layers(explainer.method)))
    rows = [explainer.explain(pair, layers, against is Against.ITSELF) for pair in pairs]
    _print(rows)
    ranked = f"{explainer.name}'s embedding {explainer.embedding}"
    note = f"Grad-CAM of the similarity by {ranked}\neach map is scaled to its own largest value"
    with replacing(output) as partial:
        draw_explanations(partial, rows, _captions(layers, sharing(explainer.method, layers), rows), note)
    typer.echo(f"{output}: {', '.join(layers)} of {ranked}")


def _captions(layers: list[str], kinds: list[str], rows: "list[dict[Modality, Explanation]]") -> dict[str, str]:
    """Say of each layer whether the spectra share it, and how many places its map has."""
    sizes = [heat.shape for heat in next(iter(rows[0].values())).maps]
    return {
        name: ", ".join([*([kind] if kind else []), f"map of {height} x {width}"])
        for name, kind, (height, width) in zip(layers, kinds, sizes, strict=True)
    }


def _print(rows: "list[dict[Modality, Explanation]]") -> None:
    """Say what was compared with what, and how alike it is."""
    for row in rows:
        shown = [f"{item.subject.name} ({_known(item)})" for item in row.values()]
        if any(item.alone for item in row.values()):
            typer.echo("\n".join(f"{name}, compared with itself" for name in shown))
        else:
            similarity = next(iter(row.values())).similarity
            typer.echo(f"{' and '.join(shown)}: cosine similarity {similarity:.3f}")


def _known(item: "Explanation") -> str:
    subject = item.subject
    known = [subject.modality.group, subject.source, "seen in training" if subject.seen else ""]
    return ", ".join(filter(None, known))
