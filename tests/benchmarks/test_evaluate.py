"""The benchmark of the evaluation: its small runs, whose evaluators must agree. CPU, seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    command = [sys.executable, ROOT / "benchmarks" / "evaluate.py", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("sysu", ["vireid", "plain / vireid: ", "plain, vectorised / vireid: ", "MiB"]),
        ("reranked", ["vireid, 4 galleries", "row by row / vireid, a gallery: "]),
        ("gallery", ["200 x 2,000", "200 x 4,000", "ns for a distance", "gallery x 2.0: time x "]),
    ],
)
def test_small_run_prints_what_was_measured(name, printed):
    result = run(name, "--quick")
    assert result.returncode == 0, result.stderr
    for text in printed:
        assert text in result.stdout


def test_help_teaches():
    text = run("sysu", "--help").stdout
    assert "3,803 queries" in text
    assert "--quick" in text
