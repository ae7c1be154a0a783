"""A tiny HPILN, which the tests of all methods find here."""

from tests.made import small_trunk

NARROW = {
    "res_mid": {"width": 16},
    "pcb": {"width": 16, "dropout": 0.0},
    "mgn": {"width": 8},
    "bfe": {"global_width": 16, "erasing_width": 32},
    "mlfn": {"width_factor": 0.25},
    "hacnn": {"widths": [16, 16, 32], "feature_dim": 16},
    "mudeep": {"width_factor": 0.03125},
}


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk, and every network narrow."""
    return small_trunk(model) | {name: model[name] | changes for name, changes in NARROW.items()}
