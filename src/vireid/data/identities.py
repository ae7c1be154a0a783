"""Whether a training split has the identities that the parameters ask for.

Stages call these on what is packed, and `checks` on what is listed before any stage works: one check, one message.
"""

from collections.abc import Collection

from vireid.data.layout_checks import few_of
from vireid.params import Superresolve, Train
from vireid.support.errors import UserError

_HELD_OUT = 5  # one identity of so many


def require_both_modalities(visible_pids: Collection[int], infrared_pids: Collection[int]) -> None:
    """Check that every training identity has visible and infrared images.

    Raises:
        UserError: If one lacks a modality.
    """
    lacking = set(visible_pids) ^ set(infrared_pids)
    if lacking:
        raise UserError(
            "training images",
            f"{len(lacking)} identities lack one modality",
            expected="visible and infrared images of every training identity",
            found=f"identities {few_of(lacking)}",
            remedy="take them out of the data set's training split",
        )


def require_training_identities(count: int, settings: Train) -> None:
    """Check that a batch can be made of the identities that are not held out.

    Args:
        count: Number of training identities.
        settings: Says how many are held out, and how many are in a batch.

    Raises:
        UserError: If too few are left.
    """
    if count - settings.holdout_pids < settings.num_pids:
        raise UserError(
            "train.holdout_pids",
            "too few training identities are left",
            expected=f"at least train.num_pids = {settings.num_pids}",
            found=f"{count} - {settings.holdout_pids}",
            remedy="lower train.holdout_pids or train.num_pids, for example to {} and {}".format(
                *fitting_training_identities(count, settings)
            ),
        )


def require_superresolved_identities(
    visible_camids: Collection[int], camera_pids: Collection[int], settings: Superresolve
) -> None:
    """Check that SRCNN has a camera to learn from, and identities of it that are not held out.

    Args:
        visible_camids: Visible cameras that have training images.
        camera_pids: Training identities that the camera `settings.camera` saw.
        settings: Names the camera, and says how many identities are held out.

    Raises:
        UserError: If the camera has no visible training images, or no identity would be left.
    """
    if settings.camera not in visible_camids:
        raise UserError(
            "superresolve.camera",
            "this camera has no visible training images",
            expected=f"one of {', '.join(map(str, sorted(visible_camids)))}",
            found=settings.camera,
            remedy="choose one of these, or set superresolve.enabled: false",
        )
    if len(camera_pids) <= settings.holdout_pids:
        raise UserError(
            "superresolve.holdout_pids",
            "no identity would be left to train SRCNN on",
            expected=f"fewer than {len(camera_pids)}",
            found=settings.holdout_pids,
            remedy=f"lower superresolve.holdout_pids, for example to {fitting_holdout(len(camera_pids))}, or set "
            "superresolve.enabled: false",
        )


def fitting_training_identities(count: int, settings: Train) -> tuple[int, int]:
    """Lower `holdout_pids` and `num_pids` as far as a training split needs it.

    Args:
        count: Number of training identities.
        settings: What is asked for.

    Returns:
        Identities to hold out, at most a fifth, and identities in a batch.
    """
    holdout = min(settings.holdout_pids, count // _HELD_OUT)
    return holdout, min(settings.num_pids, max(count - holdout, 2))


def fitting_holdout(count: int) -> int:
    """How many of a camera's identities SRCNN can be scored on: a fifth, and at least one."""
    return max(count // _HELD_OUT, 1)


def require_even_shares(num_pids: int, processes: int) -> None:
    """Check that processes can share a batch.

    Raises:
        UserError: If its identities are no multiple of their number.
    """
    if num_pids % processes:
        raise UserError(
            "train.num_pids",
            "processes cannot share a batch evenly",
            expected=f"a multiple of the {processes} processes (compute.devices, or those of torchrun)",
            found=num_pids,
            remedy="change train.num_pids or compute.devices",
        )
