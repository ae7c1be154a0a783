"""The pipeline by real `dvc repro` and `dvc exp run`, in a copy of the project with a tiny data set.

What reruns after which change, that a run repeats bit for bit, and what a user sees when something is wrong.
"""

import json
import shutil

import pytest

from tests.pipeline.conftest import STAGES, stages_run

pytestmark = pytest.mark.slow


def test_repro_makes_every_result(project):
    metrics = json.loads((project.root / "results/metrics.json").read_text())
    single_shot = metrics["synthetic"]["all_search"]["single_shot"]
    assert set(single_shot) == {"rank1", "rank5", "mAP", "mINP"}
    for name in ("cmc.csv", "dataset.json", "superresolve.json", "superresolve/comparison.png"):
        assert (project.root / "results" / name).is_file()
    for name in ("evaluation.json", "figures/embedding_map.png"):
        assert (project.root / "results" / name).is_file()


def test_second_repro_does_nothing_and_leaves_git_clean(project):
    assert "up to date" in project.run("dvc", "repro")
    assert project.run("git", "status", "--porcelain") == ""


def test_forced_repro_gives_the_same_bits(project):
    output = project.run("dvc", "repro", "--force")
    assert stages_run(output) == list(STAGES)
    assert project.run("git", "diff") == ""


def test_loss_weight_reruns_train_and_what_follows_and_setting_it_back_nothing(project):
    output = project.run("dvc", "exp", "run", "-S", "loss.lambda1=1.5")
    assert stages_run(output) == ["train", "extract", "evaluate", "figures"]
    assert "loss.lambda1" in project.run("dvc", "params", "diff")
    assert "synthetic.all_search.single_shot.mAP" in project.run("dvc", "metrics", "diff", "--all")
    assert stages_run(project.run("dvc", "exp", "run", "-S", "loss.lambda1=1.0")) == []


def test_ranks_rerun_evaluate_and_figures_only(project):
    output = project.run("dvc", "exp", "run", "-S", "evaluate.ranks=[1,2]")
    assert stages_run(output) == ["evaluate", "figures"]
    assert "rank2" in (project.root / "results/metrics.json").read_text()


@pytest.mark.parametrize("setting", ["compute.workers=1", "compute.image_memory=0"])
def test_what_decides_nothing_but_speed_reruns_nothing(project, setting):
    assert stages_run(project.run("dvc", "exp", "run", "-S", setting)) == []


def test_edited_evaluator_reruns_evaluate_and_figures_only(project):
    ranking = project.root / "src/vireid/retrieval/ranking.py"
    ranking.write_text(ranking.read_text() + "\n# edited\n")
    assert stages_run(project.run("dvc", "repro")) == ["evaluate", "figures"]


def test_edited_figure_reruns_figures_only(project):
    figure = project.root / "src/vireid/reporting/distances.py"
    figure.write_text(figure.read_text() + "\n# edited\n")
    assert stages_run(project.run("dvc", "repro")) == ["figures"]


def test_plot_of_the_cmc_has_every_protocol(project):
    (plot,) = json.loads(project.run("dvc", "plots", "show", "results/cmc.csv", "--json"))["data"][
        "results/cmc.csv"
    ]
    content = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
    metrics = json.loads((project.root / "results/metrics.json").read_text())["synthetic"]
    expected = {f"synthetic/{mode}/{shots}" for mode in metrics for shots in metrics[mode]}
    assert {row["protocol"] for row in content["data"]["values"]} == expected
    assert content["encoding"]["color"]["field"] == "protocol"


def test_experiment_in_a_temporary_copy_runs_that_copys_code(project):
    stage = project.root / "stages/evaluate.py"
    first_import = "from vireid.support.errors import reports_errors\n"
    assert first_import in stage.read_text()
    stage.write_text(
        stage.read_text().replace(first_import, "import vireid\n\nraise SystemExit(vireid.__file__)\n")
    )
    done = project.attempt("dvc", "exp", "run", "--temp")
    assert done.returncode != 0
    assert "/.dvc/tmp/exps/" in done.stdout


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lr=abc", "wrong parameter: train.lr"),
        ("+loss.lambda4=1.0", "lambda4"),
        ("method=fprnett", "there is no such method"),
        ("evaluate.ranks=[1,50]", "50"),
    ],
)
def test_wrong_parameter_stops_with_one_message(project, override, message):
    # A folder without a method, so that DVC finds what the stage depends on.
    folder = project.root / "src/vireid/methods/fprnett"
    folder.mkdir()
    (folder / "notes.py").touch()
    done = project.attempt("dvc", "exp", "run", "-S", override)
    shutil.rmtree(folder)
    assert done.returncode != 0
    assert message in done.stdout
    assert "remedy:" in done.stdout
    assert "Traceback" not in done.stdout
