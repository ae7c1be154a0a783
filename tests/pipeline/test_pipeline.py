"""The pipeline by real `dvc repro` and `dvc exp run`, in a copy of the project with a tiny data set.

What reruns after which change, that a run repeats bit for bit, and what a user sees when something is wrong.
"""

import json
import shutil

import pytest

from tests.made import tree
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


def test_dvc_shows_the_kept_epoch_and_its_scores(project):
    shown = json.loads(project.run("dvc", "metrics", "show", "--json", "results/train/metrics.json"))
    best = shown[""]["data"]["results/train/metrics.json"]["data"]["best"]
    model = json.loads((project.root / "artifacts/model/model.json").read_text())
    assert best["epoch"] == model["selected_epoch"] + 1
    assert best["mAP"] == pytest.approx(model["selected_by"]["holdout/mAP"], rel=5e-6)
    assert not list((project.root / "results/train/plots").rglob("*best*"))


def test_second_repro_does_nothing_and_leaves_git_clean(project):
    output = project.run("dvc", "repro")
    assert stages_run(output) == []
    assert "up to date" in output
    assert project.run("git", "status", "--porcelain") == ""


def test_forced_repro_gives_the_same_bits(project):
    output = project.run("dvc", "repro", "--force")
    assert stages_run(output) == list(STAGES)
    assert project.run("git", "diff") == ""


def test_loss_weight_reruns_train_and_what_follows_and_setting_it_back_nothing(project):
    output = project.run("dvc", "exp", "run", "-S", "loss.lambda1=1.5")
    assert stages_run(output) == ["check", "train", "extract", "evaluate", "figures"]
    assert "loss.lambda1" in project.run("dvc", "params", "diff")
    assert "synthetic.all_search.single_shot.mAP" in project.run("dvc", "metrics", "diff", "--all")
    assert stages_run(project.run("dvc", "exp", "run", "-S", "loss.lambda1=1.0")) == []


def test_ranks_rerun_evaluate_and_figures_only(project):
    output = project.run("dvc", "exp", "run", "-S", "evaluate.ranks=[1,2]")
    assert stages_run(output) == ["check", "evaluate", "figures"]
    assert "rank2" in (project.root / "results/metrics.json").read_text()


@pytest.mark.parametrize("setting", ["compute.workers=1", "compute.image_memory=0"])
def test_what_decides_nothing_but_speed_reruns_nothing(project, setting):
    assert stages_run(project.run("dvc", "exp", "run", "-S", setting)) == ["check"]


def test_edited_evaluator_reruns_evaluate_and_figures_only(project):
    ranking = project.root / "src/vireid/retrieval/ranking.py"
    ranking.write_text(ranking.read_text() + "\n# edited\n")
    assert stages_run(project.run("dvc", "repro")) == ["check", "evaluate", "figures"]


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


OUTPUTS = ("artifacts", "results")


def outputs(project):
    """Every output with its bytes, but for what only says that the check has passed."""
    found = {name: tree(project.root / name) for name in OUTPUTS}
    found["artifacts"].pop("checked", None)
    return found


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["train.epochs=-1"], ["wrong parameter: train.epochs", "train.epochs: 2 -> -1"]),
        (["train.lr=abc"], ["wrong parameter: train.lr"]),
        (["+loss.lambda4=1.0"], ["lambda4"]),
        (["method=fprnett"], ["there is no such method"]),
        (["dataset.root=/nowhere"], ["/nowhere: the data set is missing", "dataset.root: data -> /nowhere"]),
        (["evaluate.protocols=[llcm/visible_to_infrared]"], ["the protocol is for another data set"]),
        (
            ["train.holdout_pids=40", "superresolve.camera=3", "evaluate.embedding=stage9"],
            ["3 things are wrong", "12 - 40", "superresolve.camera", "fprnet has no embedding `stage9`"],
        ),
    ],
)
def test_wrong_parameter_is_told_before_anything_is_removed(project, overrides, messages):
    before = outputs(project)
    done = project.attempt("dvc", "exp", "run", *(part for o in overrides for part in ("-S", o)))
    assert done.returncode != 0
    for message in (*messages, "remedy:", "Earlier results are as they were", "failed to reproduce 'check'"):
        assert message in done.stdout
    assert "Errno" not in done.stdout
    assert "Traceback" not in done.stdout
    assert stages_run(done.stdout) == ["check"]
    assert outputs(project) == before


def test_wrong_parameter_is_told_by_repro_of_one_stage_and_set_back_costs_nothing(project):
    path = project.root / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 2", "epochs: -2"))
    before = outputs(project)
    done = project.attempt("dvc", "repro", "train")
    assert "train.epochs: 2 -> -2" in done.stdout
    assert outputs(project) == before
    path.write_text(path.read_text().replace("epochs: -2", "epochs: 2"))
    assert stages_run(project.run("dvc", "repro")) in ([], ["check"])
    assert project.run("git", "status", "--porcelain") == ""


def test_wrong_parameter_of_a_queued_or_temporary_experiment_is_told(project):
    before = outputs(project)
    project.run("dvc", "exp", "run", "--queue", "-S", "train.epochs=-1")
    queued = project.attempt("dvc", "exp", "run", "--run-all")
    temporary = project.attempt("dvc", "exp", "run", "--temp", "-S", "train.epochs=-1")
    for done in (queued, temporary):
        assert "train.epochs: 2 -> -1" in done.stdout
        assert stages_run(done.stdout) == ["check"]
    assert outputs(project) == before
    assert project.run("git", "status", "--porcelain") == ""
    project.run("dvc", "queue", "remove", "--all")


def test_data_set_in_a_folder_of_an_unusual_name_is_found_by_dvc(project, tmp_path):
    name = "it's a [1], ünïcode"
    shutil.copytree(project.root / "data", tmp_path / name)
    project.run("vireid", "preset", f"dataset.root={tmp_path / name}")
    assert stages_run(project.run("dvc", "repro", "ingest")) == ["check", "ingest"]
    assert "didn't change" in project.run("dvc", "repro", "ingest")


def test_last_commit_is_restored_after_an_experiment(project):
    before = outputs(project)
    project.run("dvc", "exp", "run", "-S", "evaluate.ranks=[1,2]")
    assert outputs(project) != before
    shutil.rmtree(project.root / "artifacts/model")
    assert "restored: HEAD" in project.run("vireid", "restore")
    assert outputs(project) == before
    assert project.run("git", "status", "--porcelain") == ""
    assert "up to date" in project.run("dvc", "repro")
