"""A folder of pictures as the pages have it in their example of a reader's own images."""

import shutil


def draw_photos(folder, dataset):
    """Copy an image of each identity and spectrum of a drawn data set, to rgb/0012/c1_0001.jpg and the like."""
    for word, camid in (("rgb", 1), ("ir", 3)):
        for source in sorted((dataset / f"cam{camid}").glob("*/0001.jpg")):
            target = folder / word / source.parent.name / f"c{camid}_0001.jpg"
            target.parent.mkdir(parents=True)
            shutil.copy(source, target)
