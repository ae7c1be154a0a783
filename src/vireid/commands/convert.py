"""`vireid convert`: features in the MATLAB files that SYSU-MM01's evaluation code takes."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import reports_errors


@reports_errors
def convert(
    prefix: Annotated[
        Path, typer.Argument(help="What stands before _cam1.mat ... _cam6.mat in the files' names.")
    ],
    output: Annotated[Path, typer.Argument(help="Features file to write.")],
    split: Annotated[
        Path,
        typer.Option(help="Folder of test_id.mat and rand_perm_cam.mat (the authors' data_split, or exp)."),
    ],
    method: Annotated[str | None, typer.Option(help="What made the features; without it the files' name.")] = None,
) -> None:
    """Convert features in the format of SYSU-MM01's authors to a features file for `vireid evaluate`.

    In each file the variable `feature` holds one cell for each identity, a matrix with the feature vector of the
    i-th image in row i. With rand_perm_cam.mat in the split's folder, evaluate --official draws the authors'
    galleries. train_id and val_id, where they are there, are taken for what the model was trained on.

    Example: vireid convert feature/feat_deep_zero_padding features.h5 --split data_split
    """
    from vireid.commands.outputs import check_output_file
    from vireid.retrieval.features import write_features
    from vireid.retrieval.matlab import read_matlab_features

    check_output_file("OUTPUT", output)
    source = read_matlab_features(prefix, split, method or prefix.name)
    write_features(output, source.info, source.visible, source.infrared)
    counts = f"{len(source.visible)} visible and {len(source.infrared)} infrared images"
    typer.echo(f"{output}: {counts} of {len(set(source.visible.pid) | set(source.infrared.pid))} identities")
    if not source.visible.optional:
        typer.echo(f"no rand_perm_cam.mat in {split}: only seeded galleries can be drawn")
    else:
        typer.echo("the authors' galleries: vireid evaluate --official (and --as-given, as they compare)")
