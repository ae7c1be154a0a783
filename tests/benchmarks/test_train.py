"""The benchmark of the real training loop, as a user starts it, at a tiny size. CPU, seconds."""

import re
import subprocess
import sys

import pytest

from tests.made import ROOT


@pytest.mark.slow
def test_loop_bare_step_and_plain_step_are_told_with_their_ratios():
    options = ["--method", "baseline", "--schedule", "smoke", "--precision", "fp32"]
    options += ["--images", "200", "--steps", "2", "--threads", "1", "--workers", "1"]
    program = [sys.executable, "benchmarks/train.py", *options]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    first, *lines = done.stdout.splitlines()
    assert first == "baseline, schedule smoke, 16 images in a step, 1 threads"
    loop, bare, plain = (float(re.search(r"([\d.]+) images/s", line)[1]) for line in lines)
    assert min(loop, bare, plain) > 0
    loop_ratio, bare_ratio = (float(re.search(r"([\d.]+) x ", line)[1]) for line in lines[:2])
    assert loop_ratio == pytest.approx(loop / bare, abs=0.02)
    assert bare_ratio == pytest.approx(bare / plain, abs=0.02)
