"""When weight vectors are decorrelated, held and let go: the cycles of SVDNet (Sun et al., ICCV 2017)."""

from typing import Annotated

from pydantic import Field

from vireid.params import Count, Section
from vireid.support.errors import UserError


class DecorrelationCycles(Section):
    """The first `first_epoch` epochs train everything, then each cycle has a restraint and a relaxation.

    Attributes:
        cycles: How often W is replaced by U S; none where it is 0.
        first_epoch: In which the first cycle begins, from 0.
        restraint: Epochs with W held, from the replacement on.
        relaxation: Epochs with W free again.
    """

    cycles: Annotated[int, Field(ge=0)]
    first_epoch: Annotated[int, Field(ge=0)]
    restraint: Count
    relaxation: Count

    def holds(self, epoch: int) -> bool:
        """Whether W is held in an epoch (from 0)."""
        cycle, place = divmod(epoch - self.first_epoch, self.restraint + self.relaxation)
        return 0 <= cycle < self.cycles and place < self.restraint

    def relaxes(self, epoch: int) -> bool:
        """Whether W is free again in an epoch (from 0) of a cycle."""
        cycle, _ = divmod(epoch - self.first_epoch, self.restraint + self.relaxation)
        return 0 <= cycle < self.cycles and not self.holds(epoch)

    def begins(self, epoch: int) -> bool:
        """Whether a cycle begins with an epoch (from 0)."""
        return self.holds(epoch) and (epoch - self.first_epoch) % (self.restraint + self.relaxation) == 0

    def require_within(self, epochs: int, where: str) -> None:
        """Let cycles pass that all begin within the training.

        Args:
            epochs: Of the training.
            where: The section's place in `params.yaml`.

        Raises:
            UserError: If the last one would begin after the last epoch.
        """
        last_start = self.first_epoch + (self.cycles - 1) * (self.restraint + self.relaxation)
        if self.cycles and last_start >= epochs:
            raise UserError(
                f"params.yaml, {where}",
                "a cycle of the SVD layers would never begin",
                expected=f"a last cycle that begins within the {epochs} epochs of train.epochs",
                found=f"{self.cycles} cycles, of which the last would begin after {last_start} epochs",
                remedy="lower cycles, first_epoch, restraint or relaxation, or raise train.epochs",
            )
