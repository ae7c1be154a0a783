"""A paper's table, or a comparison of ours, as a file: its rows, how parameters reach each, the paper's numbers.

`conf/experiments/<paper>/<table>.yaml` holds a grid. A row that sets nothing belongs to a method that is not
implemented here: it stands in the table with the paper's numbers only. `extends: OTHER` names a grid of the same
folder, whose entries hold where the file has none of that name.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from vireid.params import Section, check_section
from vireid.support.errors import UserError
from vireid.support.yaml_files import read_yaml

# Both end up in the names of experiments, which are names of Git references.
RowName = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
Metric = Annotated[str, Field(pattern="^(rank[1-9][0-9]*|mAP|mINP)$")]
Setting = Annotated[str, Field(pattern="^[a-z0-9_]+(/[a-z0-9_]+)?$")]  # as all_search/single_shot
Numbers = dict[Metric, Annotated[float, Field(ge=0, le=100)]]


class GridRow(Section):
    """One row of a table.

    Attributes:
        label: What the paper prints, or says, about it.
        presets: Presets by group, merged over the grid's.
        set: Dotted key -> value that replaces the old one whole; the key must be there.
        schedules: Schedule -> what more to set under it, for sizes that go with a schedule; then each needs one.
        reference: The row that it is compared with, where that is not the grid's.
        paper: The paper's numbers, percent; by setting where the paper has several.
        result: Where below a protocol's metrics the row's numbers stand; without it, with the protocol itself.
    """

    label: str
    presets: dict[str, str] | None = None
    set: dict[str, Any] | None = None
    schedules: dict[str, dict[str, Any]] | None = None
    reference: RowName | None = None
    paper: Numbers | dict[Setting, Numbers] | None = None
    result: str | None = None

    @property
    def reachable(self) -> bool:
        """Whether there are parameters for it."""
        return any(part is not None for part in (self.presets, self.set, self.schedules))

    def paper_numbers(self, protocol: str) -> Numbers:
        """The paper's numbers beside those of a protocol, by metric.

        Args:
            protocol: Whose name ends with a setting, as synthetic/all_search/single_shot; only where the paper has
                several does it make a difference.
        """
        numbers: Numbers = {}
        for name, value in (self.paper or {}).items():
            if isinstance(value, float):
                numbers[name] = value
            elif protocol.endswith(f"/{name}"):
                numbers |= value
        return numbers

    def values(self, schedule: str) -> dict[str, Any]:
        """What to set under a schedule, by dotted key.

        Raises:
            UserError: If there is no entry for the schedule.
        """
        if self.schedules is not None and schedule not in self.schedules:
            raise UserError(
                "schedules",
                "the row has no values for this schedule",
                expected=f"one of {', '.join(self.schedules)}",
                found=schedule,
                remedy="add them to the row, or choose another schedule",
            )
        return (self.set or {}) | (self.schedules or {}).get(schedule, {})


class Grid(Section):
    """One table.

    Attributes:
        caption: What it shows, a phrase.
        source: Paper and number of the table; None for a comparison of ours.
        paper_protocol: Data set and protocol of the paper's numbers.
        presets: Presets of all rows, by group; neither the data set's nor the schedule's.
        metrics: The columns, as named in `results/metrics.json`; rows are compared by the last one.
        reference: The row that the others are compared with, but for those that name another.
        sweep: The dotted key that each row sets to another value, where the table tries one: then the numbers are
            drawn over its values.
        overview: Whether the rows are methods: then each is compared with all others, what is known of it stands
            beside its numbers, and differences are tested with a correction for their number.
        set: What to set in all rows, before what each sets by itself.
        schedules: Schedule -> what more to set in all rows under it.
        rows: By name.
    """

    caption: str
    source: str | None = None
    paper_protocol: str | None = None
    presets: dict[str, str]
    metrics: Annotated[list[Metric], Field(min_length=1)]
    reference: str
    sweep: str | None = None
    overview: bool = False
    set: dict[str, Any] = Field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rows: dict[RowName, GridRow]

    def reference_of(self, row: str) -> str:
        """The name of the row that a row is compared with."""
        return self.rows[row].reference or self.reference

    def with_references(self, rows: Iterable[str]) -> list[str]:
        """Rows, and those that they are compared with, each once."""
        return list(dict.fromkeys(name for row in rows for name in (row, self.reference_of(row))))

    @property
    def ranks(self) -> list[int]:
        """The ranks among the columns."""
        return [int(metric.removeprefix("rank")) for metric in self.metrics if metric.startswith("rank")]

    def values(self, row: GridRow, schedule: str) -> dict[str, Any]:
        """What to set for one of its rows under a schedule, by dotted key; see `GridRow.values`."""
        return self.set | self.schedules.get(schedule, {}) | row.values(schedule)

    @field_validator("rows")
    @classmethod
    def _check_rows(cls, rows: dict[str, GridRow], info: Any) -> dict[str, GridRow]:
        for reference in (info.data.get("reference"), *(row.reference for row in rows.values() if row.reference)):
            if reference not in rows or not rows[reference].reachable:
                raise PydanticCustomError(
                    "reference", "a row named as `reference` says, with parameters (at least `set: {}`)"
                )
        swept = info.data.get("sweep")
        if swept is not None and any(swept not in (row.set or {}) for row in rows.values()):
            raise PydanticCustomError("sweep", "rows that all set {key}, as `sweep` says", {"key": swept})
        return rows


def load_grid(conf: Path, name: str) -> Grid:
    """Read and check a grid.

    Args:
        conf: The folder of presets, which holds `experiments`.
        name: As `fprnet/table4`.

    Raises:
        UserError: If there is none of that name, or none at all, or it is not one.
    """
    folder = conf / "experiments"
    known = grids(conf)
    if name not in known:
        raise UserError(
            folder,
            "there is no such table",
            expected=f"one of {', '.join(known)}",
            found=name,
            remedy="name one of these",
        )
    path = folder / f"{name}.yaml"
    return check_section(Grid, _read(path), where=str(path), remedy=f"correct it in {path}")


def _read(path: Path) -> Any:
    """Read a grid's file, and the one that it extends.

    Raises:
        UserError: If a file is not YAML, or there is no grid to extend.
    """
    values = read_yaml(path)
    if not isinstance(values, dict) or "extends" not in values:
        return values
    extended = values.pop("extends")
    others = {other.stem: other for other in path.parent.glob("[!.]*.yaml") if other != path}
    if extended not in others:
        raise UserError(
            path,
            "there is no such table to extend",
            expected=f"extends: one of {', '.join(sorted(others))}",
            found=extended,
            remedy=f"correct it in {path}",
        )
    return read_yaml(others[extended]) | values


def grids(conf: Path) -> list[str]:
    """Names of the tables that there are.

    Raises:
        UserError: If there is none.
    """
    folder = conf / "experiments"
    names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("[!.]*.yaml"))
    if not names:
        raise UserError(
            folder,
            "there are no tables",
            expected="a folder of YAML files, one for each table",
            found="none" if folder.is_dir() else "no such folder",
            remedy="run in the root of the project, or name the folder of presets with --conf",
        )
    return names
