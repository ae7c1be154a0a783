"""What a method is: an embedder that extract, search and explain use, and how it is trained.

An `Embedder` turns images of one spectrum into embeddings. A `Method` is an embedder that is trained by steps: the
loop calls it with a batch, and sums `weight * loss`. `Fitted` is an embedder that is fitted in closed form.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from vireid.backbones.trunks import TrunkSettings
from vireid.data.records import Modality
from vireid.losses.gather import Gather
from vireid.params import Params, Section

Outputs = TypeVar("Outputs")


@dataclass
class Batch:
    """Images to train on, the visible ones first; the j-th visible and the j-th infrared one show one identity.

    Attributes:
        images: (B, 3, H, W) float32, normalised.
        labels: (B,) int64 in [0, number of training identities).
        visible: Number of visible images, known without looking at a tensor.
    """

    images: Tensor
    labels: Tensor
    visible: int

    def rows(self, modality: Modality) -> slice:
        """Where the images of one spectrum stand."""
        return slice(0, self.visible) if modality is Modality.VISIBLE else slice(self.visible, len(self.labels))


@dataclass
class Step:
    """What one step found.

    Attributes:
        losses: Unweighted scalars attached to the graph, with the keys of `Method.loss_weights`.
        measures: Scalars worth a curve that are no loss (accuracies, win rates), without a graph.
    """

    losses: dict[str, Tensor]
    measures: dict[str, Tensor]


class Embedder(nn.Module, ABC):
    """A model that embeds images; in eval mode an embedding never depends on the other images of its batch.

    A subclass is built as `SubClass(num_pids, model, loss)` from the number of training identities and its two
    sections of `params.yaml`, whose types it declares as `Model` and `Loss`.

    Attributes:
        Model: Type of the section `model`.
        Loss: Type of the section `loss`.
        one_stream: Whether all weights serve both spectra, so that an embedding does not hang on the spectrum.
        takes_only: The one size of images (H, W) that it takes; None where it takes any.
        embedding_dims: Name and width D of every embedding; the first is the one that the paper ranks.
    """

    Model: ClassVar[type[Section]]
    Loss: ClassVar[type[Section]]
    one_stream: ClassVar[bool] = False
    takes_only: tuple[int, int] | None = None
    embedding_dims: dict[str, int]

    @classmethod
    def check_recipe(cls, model: Any, loss: Any, params: Params) -> None:
        """Refuse an architecture that the other parameters contradict; nothing by default.

        Args:
            model: Of the type `Model`.
            loss: Of the type `Loss`.
            params: Whose sections they are: training, size of the images.

        Raises:
            UserError: If something that the sections ask for would never happen in this training.
        """

    @classmethod
    def trunk_of(cls, model: Any) -> TrunkSettings | None:
        """Return the trunk that an architecture stands on: `model.trunk` by default, None where none is set.

        Args:
            model: Of the type `Model`.
        """
        trunk: TrunkSettings | None = getattr(model, "trunk", None)
        return trunk

    @classmethod
    def from_scratch(cls, model: Section) -> Section:
        """Return the section that builds the same modules without fetching weights: a file holds all of them.

        By default a truth value `pretrained` becomes false and a text `weights` none, in the section and in those
        within it, and `pretrained` of a trunk false in any case. A method that says in another way where its first
        weights come from overrides this.

        Args:
            model: Of the type `Model`.
        """
        changed: dict[str, Section | bool | None] = {}
        for name, value in model:
            if isinstance(value, TrunkSettings):
                changed[name] = value.model_copy(update={"pretrained": False})
            elif isinstance(value, Section):
                changed[name] = cls.from_scratch(value)
            elif name == "pretrained" and isinstance(value, bool):
                changed[name] = False
            elif name == "weights" and isinstance(value, str):
                changed[name] = None
        return model.model_copy(update=changed)

    @abstractmethod
    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """Compute every embedding of images of one spectrum.

        Args:
            images: (B, 3, H, W) float32, normalised.
            modality: Their spectrum.

        Returns:
            (B, D) each, with the names and widths of `embedding_dims`, not normalised.
        """

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """Name the layers whose maps are worth a look in images of one spectrum, from the image on.

        Layers of one name that serve both spectra are one module. None by default: then `vireid explain` must be
        told a module's path.
        """
        return {}


class Method(Embedder, Generic[Outputs]):
    """An embedder together with its training objective.

    Attributes:
        loss_weights: Weight of every term that `losses` returns.
    """

    loss_weights: dict[str, float]

    @abstractmethod
    def outputs(self, batch: Batch) -> Outputs:
        """Compute what the losses need, in the arithmetic of the run.

        Returns:
            A dataclass of the method's own, of named tensors.
        """

    @abstractmethod
    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """Compute the unweighted loss terms in float32, scalars with the keys of `loss_weights`.

        No shape may depend on the tensors' values, and none of them may be waited for (`.item()`, `if tensor`).

        Args:
            outputs: What `outputs` returned, in float32.
            batch: What it was computed from.
            everyone: Gathers what is compared over all processes.
        """

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Compute scalars worth a curve that are no loss; none by default."""
        return {}

    def forward(self, batch: Batch, everyone: Gather) -> Step:
        """Make one step: the network in the arithmetic of the run, losses and measures in float32."""
        outputs = apply_to_collection(self.outputs(batch), Tensor, _as_float32, allow_frozen=True)
        with _full_precision(batch.images.device.type):
            losses = self.losses(outputs, batch, everyone)
            with torch.no_grad():
                measures = self.measures(outputs, batch)
        return Step(losses, {name: value.detach() for name, value in measures.items()})

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return optimiser groups with their learning rates; every trainable parameter is in exactly one."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": lr}]

    def lr_factors(self, epoch: int) -> Sequence[float] | None:
        """Factor on the learning rate of each group in an epoch (from 0); a factor of 0 holds it. None: all 1."""
        return None

    def on_epoch(self, epoch: int, history: Sequence[Mapping[str, float]]) -> None:
        """Prepare for an epoch; schedules that move with the epoch override this.

        Args:
            epoch: From 0.
            history: Mean values of every earlier epoch, by curve name.
        """


class Fitted(Embedder):
    """An embedder that is fitted in closed form: classical features and metric learning.

    In its section `model`, `images_per_pid` are the images of each training identity and spectrum it is fitted to.
    """

    @abstractmethod
    def fit(self, images: Mapping[Modality, np.ndarray], labels: Mapping[Modality, np.ndarray]) -> None:
        """Fit to the training images.

        Args:
            images: (N, H, W, 3) uint8 RGB of each spectrum.
            labels: (N,) int64 of each spectrum, in [0, number of training identities).
        """


def trunk_and_new(method: Method, trunk: nn.Module, lr: float, trunk_lr_factor: float) -> list[dict[str, Any]]:
    """Two groups for `Method.param_groups`: a pretrained trunk learns more slowly than everything new.

    Args:
        method: Whose parameters are split; those that need no gradient are in no group.
        trunk: Its pretrained part.
        lr: Learning rate of everything else.
        trunk_lr_factor: The trunk's learning rate as a part of `lr`.
    """
    pretrained = [p for p in trunk.parameters() if p.requires_grad]
    known = {id(p) for p in pretrained}
    new = [p for p in method.parameters() if p.requires_grad and id(p) not in known]
    return [{"params": pretrained, "lr": lr * trunk_lr_factor}, {"params": new, "lr": lr}]


def _full_precision(device_type: str) -> AbstractContextManager[None]:
    """Switch automatic mixed precision off, on devices that have it."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


def _as_float32(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values
