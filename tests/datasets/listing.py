"""Images listed by each data set, from a folder and the choices that the data set has."""

from functools import partial

from tests.made import dataset_at
from vireid.datasets.find import find_images


def _listed(layout, root, **choices):
    return find_images(dataset_at(root, layout, **choices))


sysu_images, llcm_images, manifest_images = (partial(_listed, name) for name in ("sysu_mm01", "llcm", "manifest"))


def regdb_images(root, trial):
    """Of one of RegDB's trials."""
    return _listed("regdb", root, trial=trial)
