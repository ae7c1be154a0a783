"""What to do when the operating system refuses to read or write: a sentence for each reason."""

import errno
import os

_FULL = "free some space and run again"
_HELD = "close the program that has it open, or wait until it is done, and run again"
_DRIVE = "look after the disk or the network drive, and run again"
_PATH = "correct the path or its permissions"
# By the names of the numbers, of which not every system has all.
_REMEDIES = {
    "ENOSPC": _FULL,
    "EDQUOT": _FULL,
    "EFBIG": "this file system takes no file of that size: write to another one",
    "EROFS": "write to a place that is not read-only",
    "EAGAIN": _HELD,
    "EBUSY": _HELD,
    "ETXTBSY": _HELD,
    "EIO": _DRIVE,
    "ENXIO": _DRIVE,
    "ESTALE": _DRIVE,
    "ETIMEDOUT": _DRIVE,
    "ENOTCONN": _DRIVE,
    "EHOSTDOWN": _DRIVE,
    "EREMOTEIO": _DRIVE,
    "EMFILE": "allow more open files (ulimit -n 4096) and run again",
    "ENFILE": "close other programs and run again",
    "ENOMEM": "close other programs and run again",
    "ENAMETOOLONG": "choose a shorter name",
}
_REASONS = {"ENOSPC": "the disk is full", "EDQUOT": "the disk is full (your quota of it)"}


def refusal(error: OSError) -> str | None:
    """Say what was refused, why, and what to do about it.

    Args:
        error: Raised by the operating system.

    Returns:
        One line; None for what no user can mend: an error without a file's name that is none of the machine's,
        as when a pipe's reader has gone.
    """
    if error.filename is None and _name(error) not in _REMEDIES:
        return None
    return f"{error.filename or 'reading or writing failed'}: {reason(error)}; {remedy(error)}"


def reason(error: OSError) -> str:
    """Name the system's reason, without what a library has written around it."""
    return _REASONS.get(_name(error)) or os.strerror(error.errno or 0)


def remedy(error: OSError) -> str:
    """Say what to do about it; nothing that would touch the file."""
    return _REMEDIES.get(_name(error), _PATH)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")
