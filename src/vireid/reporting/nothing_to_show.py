"""Why a figure is not drawn."""


class NothingToShow(Exception):  # noqa: N818 nothing is wrong with the input
    """The results hold nothing that a figure could show; the message says why, as the end of a sentence."""
