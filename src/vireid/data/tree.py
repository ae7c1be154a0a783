"""What lies below a folder, as DVC sees it: the one place that looks for files.

DVC hashes `dataset.root` without entering linked folders and without what `.dvcignore` hides. A stage that read
more would not run again when that changes, so it reads no more than this. A link to a file is hashed by what is
behind it, and read as a file. What desktops leave behind (names that begin with a dot, and `LEFTOVERS`) is passed
over.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vireid.support.errors import UserError
from vireid.support.text import printable

if TYPE_CHECKING:
    from dvc.ignore import DvcIgnoreFilter

LEFTOVERS = (
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__macosx",
    "@eadir",
)
"""Files and folders of desktops and storage servers that do not begin with a dot, in lower case."""
_SHOWN = 5  # names in a message


class Absence(NamedTuple):
    """Why a file is not read, and what the user can do about it where that is special."""

    why: str
    remedy: str | None = None


@dataclass(frozen=True)
class Tree:
    """What lies below a folder; all names are sorted, relative to it, POSIX style.

    Attributes:
        root: The folder.
        files: Files and links to files, also broken ones.
        folders: Folders that were entered.
        linked: Links to folders, which were not entered.
        hidden: Files and folders that `.dvcignore` hides.
        unreadable: Folders that cannot be listed, mostly for want of a permission.
    """

    root: Path
    files: list[str]
    folders: list[str]
    linked: list[str]
    hidden: list[str]
    unreadable: list[str]

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.files)

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for name in sorted([*self.files, *self.folders]):
            folder, _, child = name.rpartition("/")
            children.setdefault(folder, []).append(child)
        return children

    def __contains__(self, name: str) -> bool:
        """Say whether there is a file of this name."""
        return name in self._names

    def children(self, folder: str) -> list[str]:
        """Names of the files and folders in a folder, relative to it; of none where there is no such folder."""
        return self._children.get(folder, [])

    def absence(self, name: str) -> Absence | None:
        """Say why a file is not read; None where it is."""
        path = self.root / name
        if name in self:
            return None if path.exists() else Absence(f"a link to {path.readlink()}, which is not there")
        link = next((link for link in self.linked if name == link or name.startswith(f"{link}/")), None)
        if link is not None:
            return Absence(f"behind {link}, a link to {(self.root / link).readlink()}", _remedy(self.root / link))
        if not os.path.lexists(path):  # Path.exists raises for a name that is too long
            return Absence("no such file")
        if path.is_dir():
            return Absence("a folder")
        passed = next((part for part in name.split("/") if is_leftover(part)), None)
        if passed is not None:
            remedy = "give it another name"
            return Absence(f"passed over, because {passed} is a name of hidden or leftover files", remedy)
        return Absence("hidden by .dvcignore", "take the pattern that hides it out of .dvcignore")

    def require(self, names: Iterable[str], problem: str, expected: str, remedy: str) -> None:
        """Check that files of these names are read.

        Args:
            names: The files.
            problem: What is wrong where one is not.
            expected: What should have been there.
            remedy: What the user can do about a file that is missing.

        Raises:
            UserError: If one is not; the message counts them, names the first and says why.
        """
        absent = [(name, absence) for name in names if (absence := self.absence(name)) is not None]
        if absent:
            name, first = absent[0]
            count = f"{len(absent)} files that cannot be read; the first: " * (len(absent) > 1)
            spelt = "" if name.isprintable() else f": {printable(name)}"
            why = count + first.why + spelt
            raise UserError(self.root / name, problem, expected=expected, found=why, remedy=first.remedy or remedy)


def is_leftover(name: str) -> bool:
    """Say whether a file or folder of this name is what desktops hide or leave behind."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def read_tree(root: Path) -> Tree:
    """List what lies below a folder; linked folders are not entered, and so no loop is. No folder has no files."""
    tree = Tree(root, [], [], [], [], [])
    dvcignore = _dvcignore()
    for folder, subfolders, names in os.walk(root, onerror=lambda error: _note_unreadable(tree, error)):
        offered = [[name for name in part if not is_leftover(name)] for part in (subfolders, names)]
        kept = dvcignore(folder, *offered) if dvcignore else offered
        path = Path(folder).relative_to(root)
        for whole, part in zip(offered, kept, strict=True):
            tree.hidden.extend((path / name).as_posix() for name in set(whole) - set(part))
        links = {name for name in kept[0] if os.path.islink(os.path.join(folder, name))}  # noqa: PTH114, PTH118 fast
        subfolders[:] = [name for name in kept[0] if name not in links]
        tree.linked.extend((path / name).as_posix() for name in links)
        tree.folders.extend((path / name).as_posix() for name in subfolders)
        tree.files.extend((path / name).as_posix() for name in kept[1])
    for names in (tree.files, tree.folders, tree.linked, tree.hidden, tree.unreadable):
        names.sort()
    return tree


def _note_unreadable(tree: Tree, error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        tree.unreadable.append(Path(error.filename).relative_to(tree.root).as_posix())


def _dvcignore() -> "DvcIgnoreFilter | None":
    """DVC's own rules in the repository of the working directory, where stages run; None outside of any."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.fs import localfs
    from dvc.ignore import DvcIgnoreFilter
    from dvc.repo import Repo

    try:
        return DvcIgnoreFilter(localfs, Repo.find_root())
    except NotDvcRepoError:
        return None


def read_dataset(root: Path) -> Tree:
    """List a data set's files, all of which DVC hashes.

    Raises:
        UserError: If a folder below the root is a link, or cannot be listed: DVC would pass over what is in it.
    """
    tree = read_tree(root)
    if tree.linked:
        name = tree.linked[0]
        more = f"; {len(tree.linked)} linked folders in all: {first_of(tree.linked)}" * (len(tree.linked) > 1)
        raise UserError(
            root / name,
            "a linked folder in the data set",
            expected="real folders: DVC does not look behind a link and would not notice when the images change",
            found=f"a link to {(root / name).readlink()}{more}",
            remedy=_remedy(root / name),
        )
    if tree.unreadable:
        raise UserError(
            root / tree.unreadable[0],
            "a folder that cannot be read",
            expected="folders that can be listed: DVC passes over the others without a word",
            found=f"not so {first_of(tree.unreadable)}",
            remedy="give yourself the permission (chmod u+rx), or move the folder out of the data set",
        )
    return tree


def _remedy(link: Path) -> str:
    return (
        f"`rm {link}` (the link only) and copy or move the folder itself there, or set dataset.root to the folder "
        "that really holds the images"
    )


def first_of(names: list[str]) -> str:
    """Show the first five of some names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
