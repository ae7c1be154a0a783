"""What a single-spectrum re-identification network is to HPILN: vectors to rank and to compare, and logits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from vireid.backbones.pretrained import Origin

KeyMap = Sequence[tuple[str, str]]
"""Pairs (pattern, replacement): the first pattern that matches a key from its start turns what it matches into the
replacement (as `re.Match.expand`), and the rest of the key stays; a replacement of "" says that the network has no
such weight. A key that no pattern matches has our name already."""

CLASSIFIER_KEY = (r"classifier\.", "classifiers.0.")
"""torchreid's name of a network's only classifier."""


@dataclass
class NetworkOutputs:
    """For B images and N identities, float.

    Attributes:
        embedding: (B, D), what retrieval ranks.
        compared: (B, D_i) each, what the losses compare that compare images.
        logits: (B, N) each, one for every classifier.
    """

    embedding: Tensor
    compared: list[Tensor]
    logits: list[Tensor]


class ReidNetwork(nn.Module, ABC):
    """A network built as `SubClass(num_pids, settings)`, or `SubClass(num_pids, trunk, settings)` with a trunk.

    Attributes:
        paper_size: Height and width of the images in HPILN (Table 1), or in the network's own paper.
        takes_only: The one size (H, W) that it takes; None where it takes any.
        key_map: From the names that the field's best-known library gives its weights (torchreid, Zhou and Xiang,
            2019) to ours; None where that library does not have the network.
        origin: The weights of the whole network that it started from, if any.
        embedding_dim: Width D of the embedding.
        compared_dims: Widths of the vectors that are compared.
        classifiers: The classifiers, in the order of the logits.
    """

    paper_size: ClassVar[tuple[int, int]]
    takes_only: ClassVar[tuple[int, int] | None] = None
    key_map: ClassVar[KeyMap | None] = None
    origin: Origin | None = None
    embedding_dim: int
    compared_dims: tuple[int, ...]
    classifiers: nn.ModuleList

    @abstractmethod
    def forward(self, images: Tensor) -> NetworkOutputs:
        """Compute what a training step needs; (B, 3, H, W) float, normalised."""

    def classified(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """(B, D_i) for each classifier to its logits (B, N)."""
        return [classify(vector) for classify, vector in zip(self.classifiers, vectors, strict=True)]

    def only_for_identities(self) -> list[nn.Module]:
        """List what nothing but the identity loss trains: the classifiers, and what leads only to them."""
        return list(self.classifiers)

    @abstractmethod
    def explained_layers(self) -> dict[str, nn.Module]:
        """Name the layers whose maps are worth a look, from the image on."""
