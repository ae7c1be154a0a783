"""HPILN's networks as its presets have them, for its tests."""

import torch

from tests.made import recipe_of, small_trunk
from tests.methods.hpiln.tiny import NARROW
from vireid.methods import check_method
from vireid.methods.hpiln.architecture import build_network
from vireid.methods.hpiln.networks.base import ReidNetwork

NETWORKS = ("resnet50", "res_mid", "pcb", "mgn", "bfe", "mlfn", "hacnn", "mudeep", "densenet121")


def of_the_paper(name: str, num_pids: int = 395) -> ReidNetwork:
    """A network at the paper's size, without contents."""
    recipe = recipe_of(f"hpiln_{name}", "paper")
    model = recipe["model"] | {"trunk": recipe["model"]["trunk"] | {"pretrained": False}}
    _, settings, _ = check_method("hpiln", model, recipe["loss"])
    with torch.device("meta"):
        return build_network(num_pids, settings)


def small(name: str, num_pids: int = 4, seed: int = 0, **changes) -> ReidNetwork:
    """A small network with its contents; `changes` are of its own settings."""
    recipe = recipe_of(f"hpiln_{name}")
    model = small_trunk(recipe["model"])
    network = model["network"]
    if network in NARROW:
        model[network] = model[network] | NARROW[network] | changes
    _, settings, _ = check_method("hpiln", model, recipe["loss"])
    torch.manual_seed(seed)
    return build_network(num_pids, settings)
