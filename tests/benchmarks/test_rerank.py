"""The re-ranking benchmark runs, and both of its forms agree; what it measures is not asserted. CPU, seconds."""

import importlib.util

import typer
from typer.testing import CliRunner

from tests.made import ROOT
from vireid.retrieval.reranking import rerank_matrix


def load():
    spec = importlib.util.spec_from_file_location("rerank_benchmark", ROOT / "benchmarks" / "rerank.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app = typer.Typer()
    app.command()(module.main)
    return module, app


def test_quick_run_prints_a_ratio():
    _, app = load()
    result = CliRunner().invoke(app, ["--quick", "--dimensions", "16", "--repeats", "1"])
    assert result.exit_code == 0, result.output
    assert "row by row / ours:" in result.stdout


def test_results_that_differ_are_an_error(monkeypatch):
    module, app = load()
    monkeypatch.setattr(module, "rerank_matrix", lambda *arguments: rerank_matrix(*arguments) + 0.01)
    result = CliRunner().invoke(app, ["--quick", "--dimensions", "16", "--repeats", "1"])
    assert result.exit_code == 1
    assert "differ by more than" in result.stderr
