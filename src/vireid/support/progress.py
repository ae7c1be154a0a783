"""The one progress bar that every long command shows."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")
console = Console(stderr=True, markup=False, emoji=False, highlight=False)  # names are no markup


class _Rate(ProgressColumn):
    """Items per second, with the unit of the task."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        digits = 0 if speed >= 10 else 1
        return Text(f"{speed:,.{digits}f} {task.fields['unit']}/s", style="cyan")


class _WithNote(Progress):
    """Shows a task's note in a line of its own, as it would take the room of the bar."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """See `Progress.get_renderables`."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields["note"]:
                yield Text(task.fields["note"])


@contextmanager
def progress(description: str, total: int, unit: str) -> Iterator["Bar"]:
    """Show a bar with count, rate and remaining time for the body of a `with`.

    Args:
        description: What is being done, in a word or two.
        total: How many items there are.
        unit: What one item is, in the plural ("images").
    """
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    ]
    with _WithNote(*columns, console=console) as display:
        yield Bar(display, display.add_task(description, total=total, unit=unit, note=""))


class Bar:
    """A running progress bar."""

    def __init__(self, display: Progress, task: TaskID):
        self._display, self._task = display, task

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Count `count` items as done, and show `note` below the bar."""
        if note is None:
            self._display.update(self._task, advance=count)
        else:
            self._display.update(self._task, advance=count, note=note)

    def over(self, items: Iterable[T], count: Callable[[T], int]) -> Iterator[T]:
        """Iterate over `items`, counting `count(item)` for each."""
        for item in items:
            yield item
            self.advance(count(item))


def track(items: Iterable[T], description: str, total: int, unit: str) -> Iterator[T]:
    """Iterate over `items` behind a progress bar."""
    with progress(description, total, unit) as bar:
        yield from bar.over(items, lambda _: 1)
