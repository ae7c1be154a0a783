"""Single pictures out of `images.h5`, without reading the others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vireid.data.records import Modality
from vireid.data.store import SCHEMA
from vireid.support.errors import UserError
from vireid.support.hdf5 import open_hdf5


def read_pictures(path: Path, modality: Modality, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read test images by name.

    Args:
        path: An images file.
        modality: The spectrum that they were taken in.
        names: Their names, in any order, repeated or not.

    Returns:
        Name -> (H, W, 3) uint8 RGB.

    Raises:
        UserError: If the file is missing, cut short or of another format, or does not hold a name.
    """
    with open_hdf5(path, SCHEMA, [], remedy="run `dvc repro ingest`") as file:
        group = file[f"test/{modality.group}"]
        row_of = {name: row for row, name in enumerate(group["name"].asstr()[:])}
        missing = [name for name in names if name not in row_of]
        if missing:
            raise UserError(
                path,
                f"no test image {missing[0]}",
                expected=f"the {modality.group} images that the features were extracted from",
                found=f"{len(missing)} of {len(names)} names are missing",
                remedy="run `dvc repro extract`, so that features and images are of one data set",
            )
        return {name: group["image"][row_of[name]] for name in dict.fromkeys(names)}
