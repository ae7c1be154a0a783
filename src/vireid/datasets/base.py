"""What a data set is: how its folder looks, what its images are, and how it is evaluated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vireid.data.records import ImageRecord
from vireid.datasets.protocol import Protocol


@dataclass(frozen=True)
class Choices:
    """What a user chooses of a data set, in plain values: reading a protocol needs no parameters.

    Attributes:
        trial: Number of the split; 0 where the data set is split once.
        train_on_val: Whether identities of a validation list are trained on; otherwise they are left out.
        official_galleries: Whether the galleries that its authors have published must be there.
    """

    trial: int
    train_on_val: bool
    official_galleries: bool


@dataclass(frozen=True)
class DataSet:
    """A data set of the field, or a user's own.

    Attributes:
        layout: Name of its layout, `dataset.layout` in params.yaml, and of its file, on which dvc.yaml depends.
        title: What messages call it.
        entries: Files and folders by which its root is recognised.
        names: Names under which results are reported: its own, and that of the embedded copy in its layout.
        find_images: Lists the images below a root, ordered by split, modality, pid, camera and name.
        protocols: Makes the protocols of a name.
        trials: Numbers of the splits that the data set itself defines; None where it is split once.
        has_validation_list: Whether there is a list of validation identities that training may leave out.
        has_official_galleries: Whether its authors have published galleries.
        is_described: Whether a list says of each image what it is, so that names and folders alone tell nothing.
    """

    layout: str
    title: str
    entries: tuple[str, ...]
    names: tuple[str, ...]
    find_images: Callable[[Path, Choices], list[ImageRecord]]
    protocols: Callable[[str], Sequence[Protocol]]
    trials: range | None = None
    has_validation_list: bool = False
    has_official_galleries: bool = False
    is_described: bool = False
