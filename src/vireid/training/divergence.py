"""What is said where a training has diverged, and who looks for it."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from vireid.losses.gather import Gather
from vireid.support.errors import UserError

EVERY = 50  # steps after which losses that a GPU computes are looked at, as each look waits for it


def diverged(where: str, what: str, values: str) -> UserError:
    """Make the error of numbers that are no longer finite.

    Args:
        where: Epoch and step.
        what: Which numbers.
        values: What they are.
    """
    return UserError(
        where,
        f"the {what} are not finite",
        expected="finite numbers",
        found=values,
        remedy="lower train.lr, set train.clip_norm, or raise train.warmup_epochs",
    )


class LossWatch:
    """Looks at the losses every few steps, and names the first step with one that is not finite.

    Processes that train together look together, and all of them stop where one has such a loss.

    Args:
        every: Steps between two looks.
        names: Epoch and step, from 0, to the names of the batch's images, of all processes.
        everyone: Gathers rows over all processes.
    """

    def __init__(self, every: int, names: Callable[[int, int], Sequence[str]], everyone: Gather):
        self._every, self._names, self._everyone = every, names, everyone
        self._unseen: list[tuple[int, int, Mapping[str, Tensor]]] = []

    def add(self, epoch: int, step: int, losses: Mapping[str, Tensor]) -> bool:
        """Take the losses of a step, from 0, `total` among them, and look at all unseen ones if it is time to.

        Returns:
            Whether it was time to look.

        Raises:
            UserError: As `look`.
        """
        self._unseen.append((epoch, step, losses))
        if len(self._unseen) < self._every:
            return False
        self.look()
        return True

    def look(self) -> None:
        """Look at all losses that were not looked at yet.

        Raises:
            UserError: If one is not finite: its step, its terms (means over processes), and the batch's images.
        """
        unseen, self._unseen = self._unseen, []
        if not unseen:
            return
        finite = torch.isfinite(torch.stack([losses["total"] for *_, losses in unseen])).to(torch.uint8)
        everywhere = self._everyone(finite[None]).amin(0).tolist()
        if not all(everywhere):
            epoch, step, losses = unseen[everywhere.index(0)]
            means = self._everyone(torch.stack(list(losses.values()))[None]).mean(0)
            values = ", ".join(f"{name} {float(value):g}" for name, value in zip(losses, means, strict=True))
            images = ", ".join(self._names(epoch, step))
            raise diverged(f"epoch {epoch + 1}, step {step + 1}", "losses", f"{values}; in a batch of {images}")
