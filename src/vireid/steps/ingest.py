"""The step `ingest`: every image of the data set found, checked, decoded, resized and packed."""

from pathlib import Path
from typing import Any

from vireid.checks import problems, together
from vireid.data.ingest import pack_images
from vireid.data.statistics import describe
from vireid.datasets import data_set_of
from vireid.datasets.find import find_images
from vireid.params import Params
from vireid.support.files import write_json


def ingest(params: Params, images: Path, statistics: Path) -> dict[str, Any]:
    """Pack the data set that the parameters name.

    Args:
        params: Reads `dataset`, `ingest` and `compute.workers`, and checks the others against what it finds.
        images: The images file to write: all images, uint8, by split and modality.
        statistics: JSON to write: what is returned.

    Returns:
        What the data set holds: counts per split, modality, camera and identity, percentiles of the images' sizes,
        images that were skipped, and `warnings` of what is suspicious.

    Raises:
        UserError: Naming all that is wrong with the data set's lists, an image that cannot be read, or parameters
            that do not fit the data set.
    """
    records = find_images(params.dataset)
    wrong = problems(params, records)
    if wrong:
        raise together("the parameters", wrong)
    described = data_set_of(params.dataset.layout).is_described
    packed = pack_images(
        records, params.dataset, params.ingest, params.compute.workers, images, described=described
    )
    description = describe(packed, params.dataset, params.ingest, described=described)
    write_json(statistics, description)
    return description
