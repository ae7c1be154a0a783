"""The step `check`: parameters, method, data set and protocols against each other."""

from pathlib import Path

from vireid.checks import check_run
from vireid.support.files import replacing


def check(params: Path, lock: Path, checked: Path) -> list[str]:
    """Check a run before anything works.

    Args:
        params: The parameters file; all of it is read, and the folder `dataset.root` is listed.
        lock: DVC's lock file, which knows the values with which this check last passed.
        checked: File to write. Its content never changes, so parameters that pass make nothing out of date.

    Returns:
        What is no mistake but worth a word.

    Raises:
        UserError: Naming all that is wrong.
    """
    notes = check_run(params, lock)
    with replacing(checked) as partial:
        partial.write_text("The parameters fit each other, the method and the data set.\n", encoding="utf-8")
    return notes
