"""A small FPRnet for the tests: the recipes, their models shrunk, and a batch of three pairs."""

import torch

from tests.made import recipe_of, small_trunk
from tests.methods.batches import paired_batch
from vireid.losses.gather import alone
from vireid.methods.fprnet.method import Architecture, FPRNet, Objective

(SCRATCH, PAPER), (RELEASE_SCRATCH, RELEASE) = (
    [recipe_of(name, schedule) for schedule in ("scratch", "paper")] for name in ("fprnet", "fprnet_release")
)
BEST_SET = ["r5", "i5", "i4", "r4", "r5", "i5", "i2", "r2"]
SHRUNK = {"pyramid_width": 16, "joint_dims": [32], "fusion_dims": [8, 4]}
BATCH = paired_batch([0, 1, 2], 48, 24, seed=1)


def built(num_pids=3, features=BEST_SET, mode="horizontal", loss=None, recipe=PAPER, **changes):
    """A small FPRnet with changed parameters."""
    torch.manual_seed(0)
    fusion = {"mode": mode, "features": features}
    model = small_trunk(recipe["model"]) | SHRUNK | {"fusion": fusion} | changes
    return FPRNet(
        num_pids, Architecture.model_validate(model), Objective.model_validate(recipe["loss"] | (loss or {}))
    )


def losses(method, outputs, batch=BATCH):
    """Losses of given outputs, on a single process."""
    return method.losses(outputs, batch, alone)
