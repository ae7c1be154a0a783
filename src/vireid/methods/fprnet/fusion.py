"""FPRnet's fusion of pooled pyramid vectors (Fig. 3): beside each other, on top of each other, or both."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from vireid.data.records import Modality
from vireid.params import Section

# A vector by where it comes from, and vectors on top of each other.
Source = tuple[Modality, int]
Column = Sequence[Source]

_MODALITY_OF_LETTER = {"r": Modality.VISIBLE, "i": Modality.INFRARED}
_Name = Annotated[str, Field(pattern="^[ri][2-5]$")]


class Fusion(Section):
    """Which pyramid vectors form the fusion block, in the paper's notation (r5 is P_r(5)), and how.

    `horizontal` puts the vectors beside each other (the batch axis), `vertical` on top of each other (the channel
    axis); both take a list. `hybrid` takes a matrix, row by row, and says its `type`, which the others lack: along
    rows and along columns different levels (1), along rows the same level (2), along columns the same level (3).
    """

    mode: Literal["horizontal", "vertical", "hybrid"]
    features: Annotated[list[_Name | list[_Name]], Field(min_length=1)]
    type: Annotated[Literal[1, 2, 3] | None, Field(validate_default=True)] = None

    @field_validator("features")
    @classmethod
    def _check_features(cls, features: list[Any], info: ValidationInfo) -> list[Any]:
        if "mode" not in info.data:  # mistyped, which is a message of its own
            return features
        lengths = {len(row) for row in features if isinstance(row, list)}
        plain = any(not isinstance(row, list) for row in features)
        if info.data["mode"] != "hybrid":
            if lengths:
                raise PydanticCustomError("fusion", "a plain list such as [r5, i5], as fusion.mode is not hybrid")
        elif plain or len(lengths) > 1 or min(len(features), *lengths) < 2:
            raise PydanticCustomError(
                "fusion",
                "a matrix of two or more rows with two or more vectors each, all as long, such as "
                "[[r5, r2], [r2, r5]], as fusion.mode is hybrid",
            )
        return features

    @field_validator("type")
    @classmethod
    def _check_type(cls, value: int | None, info: ValidationInfo) -> int | None:
        if "mode" not in info.data:
            return value
        mode, features = info.data["mode"], info.data.get("features")
        if mode == "hybrid" and features is not None:
            actual = hybrid_type(features)
            if actual is None:
                raise PydanticCustomError(
                    "fusion", "fusion.features of one of the types 1, 2 and 3; these have none"
                )
            if value != actual:
                raise PydanticCustomError("fusion", "{actual}, the type of fusion.features", {"actual": actual})
        elif mode != "hybrid" and value is not None:
            raise PydanticCustomError("fusion", "no type, which only hybrid fusion has")
        return value

    @property
    def columns(self) -> list[Column]:
        """The arrangement as columns of vectors."""
        if self.mode == "horizontal":
            rows: list[Any] = [self.features]
        else:
            rows = [[name] for name in self.features] if self.mode == "vertical" else self.features
        return [
            [(_MODALITY_OF_LETTER[name[0]], int(name[1])) for name in column] for column in zip(*rows, strict=True)
        ]


def hybrid_type(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the paper's type (Sec. 3.1.2) of a matrix of vectors, or None where it is of none."""
    along_rows, along_columns = (
        {len({name[1] for name in line}) == 1 for line in lines} for lines in (rows, zip(*rows, strict=True))
    )
    types = {(False, False): 1, (True, False): 2, (False, True): 3}
    if len(along_rows) > 1 or len(along_columns) > 1:  # some lines have one level, others several
        return None
    return types.get((along_rows.pop(), along_columns.pop()))


def fuse(
    vectors: Sequence[Mapping[int, Tensor]], columns: Sequence[Column], visible: int
) -> tuple[Tensor, Tensor]:
    """Put vectors on top of each other in columns, and columns beside each other.

    With a vector as a column of numbers, "on top" lengthens it (the channel axis) and "beside" adds another (the
    batch axis). In a column of both modalities, the j-th visible image of the batch meets the j-th infrared one,
    which shows the same identity; images without such a partner are left out.

    Args:
        vectors: Per modality, level -> (R, width), a row per image of that modality.
        columns: What to fuse, columns of one height.
        visible: Number of visible images, which come first in the batch.

    Returns:
        (F, height * width), and (F,) int64: an image in the batch that each fused vector comes from.
    """
    starts = {Modality.VISIBLE: 0, Modality.INFRARED: visible}
    fused, sources = [], []
    for column in columns:
        parts = [vectors[modality][level] for modality, level in column]
        count = min(len(part) for part in parts)
        start = starts[column[0][0]]
        fused.append(torch.cat([part[:count] for part in parts], dim=1))
        sources.append(torch.arange(start, start + count, device=parts[0].device))
    return torch.cat(fused), torch.cat(sources)
