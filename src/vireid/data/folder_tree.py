"""From a folder tree to a manifest: what a regular expression finds in the paths."""

import random
import re
from collections.abc import Mapping
from pathlib import Path

from vireid.data.layouts.checks import require_utf8
from vireid.data.layouts.manifest import FILE, REQUIRED, checked_records
from vireid.data.records import ImageRecord, Modality
from vireid.support.errors import UserError
from vireid.support.files import replacing

_GROUPS = ("pid", "camid", "modality")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def write_manifest(
    root: Path, pattern: str, words: Mapping[str, Modality], test_share: float, seed: int, skip: bool
) -> list[ImageRecord]:
    """Write `manifest.csv` for the images of a folder tree, after checking it as ingest does.

    Args:
        root: The folder.
        pattern: Regular expression for the whole relative path of an image, with the named groups `pid`, `camid`,
            `modality` and, optionally, `split`.
        words: What the group `modality` may hold.
        test_share: Share of the identities to test on, where the pattern has no group `split`.
        seed: Draws these identities.
        skip: Whether images that the pattern does not match are left out; otherwise they are an error.

    Returns:
        What the manifest holds.

    Raises:
        UserError: If there is a manifest already, the pattern is not of this form or leaves images out, a modality
            is another word, or the manifest would not pass the checks of `manifest.checked_records`.
    """
    import pandas as pd

    if (root / FILE).exists():
        raise UserError(
            root / FILE,
            "there is a manifest already",
            expected="none: existing files are never overwritten",
            found="a file",
            remedy="use it as it is, or move it elsewhere and repeat this command",
        )
    rows = _match_all(root, _compiled(pattern), skip)
    _name_modalities(root, rows, words)
    if "split" not in rows[0]:
        _draw_split(rows, test_share, seed)
    table = pd.DataFrame(rows)[list(REQUIRED)]
    remedy = "correct the pattern, or rename these files; no manifest was written"
    records = checked_records(root / FILE, table, root, dict(enumerate(table["path"])), remedy)
    with replacing(root / FILE) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    return records


def image_names(root: Path) -> list[str]:
    """List the image files below a folder by their suffix: sorted paths relative to it, POSIX style.

    Raises:
        UserError: If a name is not UTF-8.
    """
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    for name in names:
        require_utf8(root, name)
    return names


def _compiled(pattern: str) -> re.Pattern[str]:
    expected = f"a regular expression with the named groups {', '.join(_GROUPS)} and, if wanted, split"
    remedy = r"for example: --pattern '(?P<modality>rgb|ir)/(?P<pid>\d+)/c(?P<camid>\d+)_.*'"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError("--pattern", "not a pattern", expected=expected, found=error, remedy=remedy) from error
    if not set(_GROUPS) <= set(compiled.groupindex) <= {*_GROUPS, "split"}:
        found = f"the groups {', '.join(compiled.groupindex) or '(none)'}"
        raise UserError("--pattern", "other named groups", expected=expected, found=found, remedy=remedy)
    return compiled


def _match_all(root: Path, pattern: re.Pattern[str], skip: bool) -> list[dict[str, str]]:
    names = image_names(root)
    if not names:
        raise UserError(
            root,
            "no image in the folder",
            expected=f"files that end in {', '.join(sorted(_SUFFIXES))}",
            found="none in it or below it",
            remedy="name the folder that holds the images",
        )
    # An optional group that has found nothing says nothing of the image.
    matches = {
        name: found
        for name in names
        if (found := pattern.fullmatch(name)) and None not in found.groupdict().values()
    }
    others = [name for name in names if name not in matches]
    if len(others) == len(names) or (others and not skip):
        raise UserError(
            root,
            "the pattern does not match every image",
            expected=f"paths below the folder that are, as a whole, {pattern.pattern}",
            found=f"{len(others)} of {len(names)} images that are not: {', '.join(others[:3])}",
            remedy="correct the pattern, or leave these images out with --skip",
        )
    return [{"path": name} | match.groupdict() for name, match in matches.items()]


def _name_modalities(root: Path, rows: list[dict[str, str]], words: Mapping[str, Modality]) -> None:
    for row in rows:
        if row["modality"] not in words:
            raise UserError(
                root / row["path"],
                "the group modality holds an unknown word",
                expected=" or ".join(words),
                found=row["modality"],
                remedy="say the words with --visible WORD and --infrared WORD",
            )
        row["modality"] = words[row["modality"]].group


def _draw_split(rows: list[dict[str, str]], test_share: float, seed: int) -> None:
    """Put a share of the identities into the test split; 7 and 0007 are one."""
    pids = sorted({row["pid"].lstrip("0") for row in rows})
    test = set(random.Random(seed).sample(pids, round(test_share * len(pids))))  # noqa: S311 not a secret
    for row in rows:
        row["split"] = "test" if row["pid"].lstrip("0") in test else "train"
