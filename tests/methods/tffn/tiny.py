"""A tiny TFFN, which the tests of all methods find here."""


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk and narrow embeddings."""
    return model | {"backbone": "resnet10_half", "pretrained": False, "width": 16}
