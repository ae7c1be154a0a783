"""Values that fit a data set, where the present ones cannot work with its identities or hold out many of them."""

from collections import defaultdict
from collections.abc import Sequence

from vireid.checks import LARGE_SHARE
from vireid.data.identities import fitting_holdout, fitting_training_identities
from vireid.data.records import ImageRecord, Modality
from vireid.params import Params


def proposals(params: Params, images: Sequence[ImageRecord]) -> dict[str, tuple[object, str]]:
    """Lower held-out identities and batches to what a data set has, and choose a camera that it has.

    Args:
        params: Reads `train` and `superresolve`.
        images: What the data set's layout lists.

    Returns:
        Dotted key -> value and reason, for what is to change.
    """
    train = [record for record in images if record.split == "train"]
    visible, infrared = ({r.pid for r in train if r.modality is modality} for modality in Modality)
    return _of_training(params, len(visible & infrared)) | (
        _of_superresolution(params, train) if params.superresolve.enabled else {}
    )


def _of_training(params: Params, count: int) -> dict[str, tuple[object, str]]:
    train = params.train
    if count - train.holdout_pids >= train.num_pids and train.holdout_pids < LARGE_SHARE * count:
        return {}
    reason = f"the data set has {count} training identities"
    holdout, num_pids = fitting_training_identities(count, train)
    values = {"train.holdout_pids": (train.holdout_pids, holdout), "train.num_pids": (train.num_pids, num_pids)}
    return {key: (new, reason) for key, (old, new) in values.items() if new != old}


def _of_superresolution(params: Params, train: Sequence[ImageRecord]) -> dict[str, tuple[object, str]]:
    pids: dict[int, set[int]] = defaultdict(set)
    for record in train:
        if record.modality is Modality.VISIBLE:
            pids[record.camid].add(record.pid)
    settings = params.superresolve
    proposed: dict[str, tuple[object, str]] = {}
    camera = settings.camera
    if camera not in pids:
        camera = max(sorted(pids), key=lambda camid: len(pids[camid]), default=camera)
        proposed["superresolve.camera"] = (camera, f"the visible cameras are {', '.join(map(str, sorted(pids)))}")
    count = len(pids[camera])
    reason = f"camera {camera} saw {count} training identities"
    if count < 2:
        return {"superresolve.enabled": (False, reason)}
    if settings.holdout_pids >= LARGE_SHARE * count and settings.holdout_pids != fitting_holdout(count):
        proposed["superresolve.holdout_pids"] = (fitting_holdout(count), reason)
    return proposed
