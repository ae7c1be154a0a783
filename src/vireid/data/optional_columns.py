"""Columns that only some data sets have, as they lie in images and features files."""

from vireid.data.records import OPTIONAL_COLUMNS
from vireid.support.stored_tables import StoredColumn

_SHAPES: dict[str, tuple[int | None, ...]] = {"location": (), "official_places": (None,)}

STORED_OPTIONAL_COLUMNS = [
    StoredColumn(name, "whole numbers", _SHAPES[name], is_optional=True) for name in OPTIONAL_COLUMNS
]
