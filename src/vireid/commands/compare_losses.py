"""`vireid compare-losses`: what HPILN's losses make of a few identities, in the plane."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.commands.devices import DEVICE, DeviceName
from vireid.support.errors import reports_errors

TITLES = {"identity": "identity loss", "hp": "hard pentaplet loss", "hpi": "both (HPI)"}

OUTPUT = typer.Option(help="Picture to write (PNG); the points lie beside it as .csv.")
IMAGES = typer.Option(help="Packed images of the data set, written by ingest.")
SCHEDULE = typer.Option(help="HPILN's recipe of this schedule: trunk, augmentation, learning rate.")
STEPS = typer.Option(min=1, help="Training steps by each loss.")
PIDS = typer.Option(min=2, max=7, help="Identities: the first that both spectra show in training.")
INSTANCES = typer.Option(min=1, help="Visible and infrared images of each identity in a batch.")
SEED = typer.Option(min=0, help="Of the weights and the batches, which are the same for all losses.")
CONF = typer.Option(help="The folder of presets.")


@reports_errors
def compare_losses(
    output: Annotated[Path, OUTPUT] = Path("compare_losses.png"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    schedule: Annotated[str, SCHEDULE] = "demo",
    steps: Annotated[int, STEPS] = 100,
    pids: Annotated[int, PIDS] = 5,
    instances: Annotated[int, INSTANCES] = 2,
    seed: Annotated[int, SEED] = 0,
    conf: Annotated[Path, CONF] = Path("conf"),
    device: Annotated[DeviceName, DEVICE] = DeviceName.AUTO,
) -> None:
    """Draw the points of a network with two outputs, trained by identity loss, hard pentaplet loss and both.

    HPILN's Fig. 6: Res-Mid, whose embedding is reduced to the plane before it is classified. Points are the
    training images as the trained network embeds them: a colour for each identity, circles for visible and
    crosses for infrared ones. Good is what lies together by colour, whatever the marker, and apart from the rest.

    Example: vireid compare-losses --output compare_losses.png
    """
    import pandas as pd

    from vireid.commands.outputs import check_output_file
    from vireid.compute import all_cores, choose_device
    from vireid.layers import compose
    from vireid.methods.hpiln.architecture import Architecture
    from vireid.params import Params, check_section
    from vireid.plane.figure import draw_planes
    from vireid.plane.training import few_identities, train_in_plane
    from vireid.support.files import replacing

    table = output.with_suffix(".csv")
    for path in (output, table):
        check_output_file("--output", path, [images])
    values = compose(conf, {"schedule": schedule, "dataset": "synthetic", "method": "hpiln"}).values
    recipe = check_section(Params, values, f"method=hpiln schedule={schedule}", "correct the preset")
    model = check_section(Architecture, recipe.model, "model of hpiln", "correct the preset")
    changes = {"num_pids": pids, "num_instances": instances, "steps_per_epoch": steps}
    train = recipe.train.model_copy(update=changes)
    fabric = choose_device(all_cores(device.value, "fp32")).fabric()
    few = few_identities(images, pids)
    points = pd.concat(
        [
            train_in_plane(few, model, train, kind, float(recipe.loss["margin"]), seed, fabric.device)
            for kind in TITLES
        ]
    )
    with replacing(table) as partial:
        points.to_csv(partial, index=False, float_format="%.6g")
    with replacing(output) as partial:
        draw_planes(partial, points, TITLES)
    typer.echo(f"written: {output}, {table}")
