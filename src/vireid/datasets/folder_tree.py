"""From a folder tree to a manifest: what a regular expression finds in the paths."""

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vireid.data.formats import NOT_READ, SUFFIXES
from vireid.data.layout_checks import require_utf8
from vireid.data.records import ImageRecord, Modality
from vireid.data.tree import Tree, first_of, read_tree
from vireid.datasets.manifest import FILE, REQUIRED, checked_records
from vireid.support.errors import UserError
from vireid.support.files import replacing

CAMERAS = {Modality.VISIBLE: 1, Modality.INFRARED: 2}
"""Numbers of the cameras where the paths do not tell cameras apart."""
_NEEDED, _OPTIONAL = ("pid", "modality"), ("camid", "split")


@dataclass(frozen=True)
class Written:
    """What went into a manifest.

    Attributes:
        records: Its images.
        cameras: Number of each camera, where cameras are words in the paths; else empty.
        identities: Number of each identity, where identities are words in the paths; else empty.
        left_out: Images that the pattern does not match.
        tree: The folder.
    """

    records: list[ImageRecord]
    cameras: dict[str, int]
    identities: dict[str, int]
    left_out: int
    tree: Tree


def write_manifest(
    root: Path, pattern: str, words: Mapping[str, Modality], test_share: float, seed: int, skip: bool
) -> Written:
    """Write `manifest.csv` for the images of a folder tree, after checking it as ingest does.

    Cameras or identities of which some are words are numbered from 1 in the order of their names. A camera's word
    in both spectra is one number, and so one place.

    Args:
        root: The folder.
        pattern: Regular expression for the whole relative path of an image, with the named groups `pid`,
            `modality` and, optionally, `camid` (else `CAMERAS`) and `split`.
        words: What the group `modality` may hold.
        test_share: Share of the identities to test on, where the pattern has no group `split`.
        seed: Draws these identities.
        skip: Whether images that the pattern does not match are left out; otherwise they are an error.

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
    compiled, tree = _compiled(pattern), read_tree(root)
    rows, left_out = _match_all(tree, compiled, skip)
    _name_modalities(root, rows, words)
    if "camid" not in rows[0]:
        for row in rows:
            row["camid"] = str(CAMERAS[Modality[row["modality"].upper()]])
    cameras, identities = _number_words(rows, "camid"), _number_words(rows, "pid")
    if "split" not in rows[0]:
        _draw_split(rows, test_share, seed)
    table = pd.DataFrame(rows)[list(REQUIRED)]
    remedy = "correct the pattern, or rename these files; no manifest was written"
    records = checked_records(tree, table, dict(enumerate(table["path"])), remedy)
    with replacing(root / FILE) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    return Written(records, cameras, identities, left_out, tree)


def image_names(tree: Tree) -> list[str]:
    """Choose the image files of a folder by their suffix: sorted paths relative to it, POSIX style.

    Raises:
        UserError: If a name is not UTF-8.
    """
    names = [name for name in tree.files if _suffix(name) in SUFFIXES]
    for name in names:
        require_utf8(tree.root, name)
    return names


def passed_over(tree: Tree) -> str:
    """Say which pictures below a folder are not read; empty where there are none.

    Counted are files with an ending of `formats.NOT_READ`, linked folders, folders that cannot be read, and
    pictures and folders that `.dvcignore` hides; not counted are other files, which no one takes for pictures, and
    what desktops leave behind.
    """
    endings = Counter(suffix for suffix in map(_suffix, tree.files) if suffix in NOT_READ)
    hidden = [n for n in tree.hidden if _suffix(n) in (*SUFFIXES, *NOT_READ) or (tree.root / n).is_dir()]
    parts = [", ".join(f"{count} {suffix}" for suffix, count in endings.most_common())]
    for names, one, several in (
        (tree.linked, "linked folder", "linked folders"),
        (tree.unreadable, "folder that cannot be read", "folders that cannot be read"),
        (hidden, "name that .dvcignore hides", "names that .dvcignore hides"),
    ):
        if names:
            parts.append(f"{len(names)} {one if len(names) == 1 else several} ({first_of(names)})")
    return "; ".join(filter(None, parts))


def none_found(tree: Tree) -> str:
    """Say for an error that a folder has no image, and what was passed over instead."""
    others = passed_over(tree)
    return "none in it or below it" + (f"; passed over: {others}" if others else "")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _plain(word: str) -> str:
    """Write a number in one way: 7 and 0007 are one."""
    return word.lstrip("0") or "0" if _is_number(word) else word


def _number_words(rows: list[dict[str, str]], group: str) -> dict[str, int]:
    """Replace what a group has found by numbers, in the order of the names, unless all are numbers already."""
    names = sorted({_plain(row[group]) for row in rows})
    if all(_is_number(row[group]) for row in rows):
        return {}
    numbers = {name: number for number, name in enumerate(names, start=1)}
    for row in rows:
        row[group] = str(numbers[_plain(row[group])])
    return numbers


def _compiled(pattern: str) -> re.Pattern[str]:
    needed, optional = (" and ".join(groups) for groups in (_NEEDED, _OPTIONAL))
    expected = f"a regular expression with the named groups {needed} and, if wanted, {optional}"
    remedy = r"for example: --pattern '(?P<modality>rgb|ir)/(?P<pid>\d+)/c(?P<camid>\d+)_.*'"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError("--pattern", "not a pattern", expected=expected, found=error, remedy=remedy) from error
    if not set(_NEEDED) <= set(compiled.groupindex) <= {*_NEEDED, *_OPTIONAL}:
        found = f"the groups {', '.join(compiled.groupindex) or '(none)'}"
        raise UserError("--pattern", "other named groups", expected=expected, found=found, remedy=remedy)
    return compiled


def _match_all(tree: Tree, pattern: re.Pattern[str], skip: bool) -> tuple[list[dict[str, str]], int]:
    """Match the images' paths; also the number of images that do not match."""
    names = image_names(tree)
    if not names:
        raise UserError(
            tree.root,
            "no image in the folder",
            expected=f"files that end in {', '.join(SUFFIXES)}",
            found=none_found(tree),
            remedy="name the folder that holds the images",
        )
    # An optional group that has found nothing says nothing of the image.
    matches = {
        name: match for name in names if (match := pattern.fullmatch(name)) and all(match.groupdict().values())
    }
    others = [name for name in names if name not in matches]
    if len(others) == len(names) or (others and not skip):
        raise UserError(
            tree.root,
            "the pattern does not match every image",
            expected=f"paths below the folder that are, as a whole, {pattern.pattern}",
            found=f"{len(others)} of {len(names)} images that are not: {first_of(others)}",
            remedy="correct the pattern, or leave these images out with --skip",
        )
    return [{"path": name} | match.groupdict() for name, match in matches.items()], len(others)


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
    """Put a share of the identities into the test split."""
    pids = sorted({_plain(row["pid"]) for row in rows})
    test = set(random.Random(seed).sample(pids, round(test_share * len(pids))))  # noqa: S311 not a secret
    for row in rows:
        row["split"] = "test" if _plain(row["pid"]) in test else "train"
