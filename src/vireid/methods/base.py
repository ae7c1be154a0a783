"""What a method is: a cross-modality embedding model together with its training objective."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from vireid.params import Section, Train


class Method(nn.Module, ABC):
    """A cross-modality embedding model together with its training objective.

    `modality` is per sample everywhere, (B,) int64 with values of `Modality`; a batch of one modality works. In
    eval mode an embedding never depends on the other images of its batch.

    A subclass is built as `SubClass(num_pids, model, loss)` from the number of training identities and its two
    sections of `params.yaml`, whose types it declares as `Model` and `Loss`.

    Attributes:
        Model: Type of the section `model`.
        Loss: Type of the section `loss`.
        embedding_dims: Name and width D of every embedding; the first is the one that the paper ranks.
        loss_weights: Weight of every term that `losses` returns.
    """

    Model: ClassVar[type[Section]]
    Loss: ClassVar[type[Section]]
    embedding_dims: dict[str, int]
    loss_weights: dict[str, float]

    @classmethod
    def check_recipe(cls, model: Section, loss: Section, train: Train) -> None:
        """Refuse an architecture that the training's recipe contradicts; nothing by default.

        Args:
            model: Of the type `Model`.
            loss: Of the type `Loss`.
            train: The recipe.

        Raises:
            UserError: If something that the sections ask for would never happen in this training.
        """

    @classmethod
    def from_scratch(cls, model: Section) -> Section:
        """Return the section that builds the same modules without fetching weights: a file holds all of them.

        By default a truth value `pretrained` becomes false, where the section has one. A method that says in
        another way where its first weights come from overrides this.

        Args:
            model: Of the type `Model`.
        """
        if isinstance(getattr(model, "pretrained", None), bool):
            return model.model_copy(update={"pretrained": False})
        return model

    @abstractmethod
    def forward(self, images: Tensor, modality: Tensor) -> Any:
        """Compute what the losses need.

        Args:
            images: (B, 3, H, W) float32, normalised.
            modality: (B,) int64.

        Returns:
            The method's own dataclass of named tensors.
        """

    @abstractmethod
    def losses(self, outputs: Any, labels: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """Compute the unweighted loss terms, scalars attached to the graph, with the keys of `loss_weights`.

        Args:
            outputs: What `forward` returned.
            labels: (B,) int64 in [0, number of training identities).
            modality: (B,) int64.
        """

    @abstractmethod
    def embed(self, images: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """Compute every embedding, (B, D) each with the names and widths of `embedding_dims`, not normalised."""

    def measures(self, outputs: Any, labels: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """Compute scalars worth a curve that are no loss (accuracies, win rates); none by default."""
        return {}

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return optimiser groups with their learning rates; every trainable parameter is in exactly one."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": lr}]

    def on_epoch(self, epoch: int, history: Sequence[dict[str, float]]) -> None:
        """Prepare for an epoch; schedules that move with the epoch override this.

        Args:
            epoch: From 0.
            history: Mean values of every earlier epoch, by curve name.
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
