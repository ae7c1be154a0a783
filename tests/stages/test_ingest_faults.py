"""Ingest interrupted from outside: a disk that fills up, a killed process. Processes of their own, seconds."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.made import ROOT

INGEST = (sys.executable, str(ROOT / "stages" / "ingest.py"))
IN_SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def can_mount():
    """Tell whether a small disk in memory can be made without being root."""
    if shutil.which("unshare") is None:
        return False
    probe = [*IN_SMALL_DISK, "mount -t tmpfs -o size=1m none /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs unprivileged mounts (Linux user namespaces)")
@pytest.mark.parametrize("megabytes", [1, 80])
def test_full_disk_is_one_message_and_leaves_nothing(project, change, megabytes):
    change(ingest__height=768, ingest__width=384)  # 168 images of 0.9 MB
    disk = project / "disk"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o size={megabytes}m none "$1"; shift; "$@"; echo "exit $?"; ls -A disk; rm -f disk/*'
    )
    command = [*IN_SMALL_DISK, script, "sh", disk, *INGEST, "--images", "disk/images.h5"]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert result.stdout == "exit 1\n"
    assert "disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (project / "results").exists()


def test_killed_ingest_leaves_the_earlier_file_and_a_rerun_clears_the_rest(project, change):
    change(ingest__height=768, ingest__width=384)
    images, partial = project / "artifacts" / "images.h5", project / "artifacts" / "images.h5.partial"
    before = images.read_bytes()
    process = subprocess.Popen(INGEST, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not partial.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert images.read_bytes() == before
    assert partial.exists()
    assert not (project / "results").exists()

    change()
    rerun = subprocess.run(INGEST, cwd=project, capture_output=True, text=True, check=True)
    assert "packed 168 images" in rerun.stdout
    assert not partial.exists()
    assert images.read_bytes() == before
