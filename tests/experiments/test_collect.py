"""Finding the experiments of a table. CPU, seconds."""

import pytest

from tests.experiments.made import PROTOCOL, made, planned, seeds
from vireid.experiments import summary
from vireid.experiments.collect import closest, collect, numbers
from vireid.experiments.repetition import Repetition
from vireid.support.errors import UserError


def test_experiments_are_sorted_by_row_seed_and_state(plan, experiment):
    found = collect(
        plan,
        [
            experiment("fprnet", 0),
            experiment("fprnet", 10),
            experiment("fprnet", 2, state="queued"),
            experiment("svdnet", 0, state="running"),
            experiment("svdnet", 1, state="failed"),
        ],
    )

    def states(row):
        return set(found[row].finished), found[row].waiting, found[row].failed

    assert states("fprnet") == (seeds(0, 10), seeds(2), set())
    assert states("svdnet") == (set(), seeds(0), seeds(1))
    assert found["resnet50"].finished == {}


@pytest.mark.parametrize("name", ["upset-owl", "", "fprnet-table8-synthetic-demo-fprnet-s1"])
@pytest.mark.parametrize(
    ("state", "group"), [("finished", "finished"), ("queued", "waiting"), ("failed", "failed")]
)
def test_experiment_counts_for_its_parameters_whatever_its_name(plan, experiment, name, state, group):
    found = collect(plan, [experiment("svdnet", 1, name=name, state=state)])
    assert {row for row, part in found.items() if getattr(part, group)} == {"svdnet"}
    assert set(getattr(found["svdnet"], group)) == seeds(1)
    assert all(part.stale == {} for part in found.values())


def test_row_of_one_table_counts_for_the_same_row_of_another(experiment):
    other = planned("fprnet/table6")
    found = collect(other, [experiment("fprnet", 0)])
    assert {row: set(part.finished) for row, part in found.items() if part.finished} == {"full": seeds(0)}


DECIDING = {
    "seed": "x",  # of a failed run
    "method": "baseline",
    "model.fusion_block": False,
    "loss.lambda1": 1.5,
    "train.epochs": 3,
    "train.new": 1,  # of other code
    "ingest.height": 64,
    "superresolve.enabled": True,
    "extract.flip": True,
    "evaluate.embedding": "joint+pool5",
    "evaluate.ranks": [1, 5],
    "evaluate.protocols": [PROTOCOL],
    "dataset.name": "sysu_mm01",
    "dataset.train_on_val": False,
    "dataset.gallery_draw": "official",
}


@pytest.mark.parametrize("key", DECIDING)
def test_experiment_with_another_parameter_that_decides_the_numbers_does_not_count(plan, experiment, key):
    other = experiment("fprnet", 0, params={key: DECIDING[key]}, name="upset-owl")
    assert collect(plan, [other])["fprnet"].finished == {}
    assert collect(plan, [other])["fprnet"].stale == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset.root", "/elsewhere"),
        ("superresolve.iterations", 7),  # SRCNN is off
        ("evaluate.rerank", True),
        ("evaluate.ranks", [1, 2, 10, 20]),
        ("figures.worst_queries", 1),
        ("compute.workers", 9),
    ],
)
def test_experiment_with_another_parameter_that_decides_nothing_counts(plan, experiment, key, value):
    other = experiment("fprnet", 0, params={key: value}, name="upset-owl")
    assert set(collect(plan, [other])["fprnet"].finished) == seeds(0)


def test_folder_tells_data_sets_of_a_manifest_apart():
    plan = planned("fprnet/table8", "manifest")
    here, there = made(plan, "fprnet", 0), made(plan, "fprnet", 1, params={"dataset.root": "/elsewhere"})
    assert set(collect(plan, [here, there])["fprnet"].finished) == seeds(0)


def test_reranked_run_holds_the_plain_numbers_and_no_plain_run_the_reranked_ones(plan, experiment):
    found = collect(plan, [experiment("fprnet_reranking", 0), experiment("fprnet", 1)])
    assert set(found["fprnet_reranking"].finished) == seeds(0)
    assert set(found["fprnet"].finished) == seeds(0, 1)


def test_run_that_was_queued_for_the_row_counts_before_a_later_one(plan, experiment):
    own = experiment("fprnet", 0)
    later = experiment("fprnet_reranking", 0, timestamp="2026-02-01T00:00:00")
    for listed in ([own, later], [later, own]):
        assert collect(plan, listed)["fprnet"].finished == {Repetition(0, 0): own}


def test_latest_of_two_counts_whatever_their_order(plan, experiment):
    late = experiment("fprnet", 0, revision="late", timestamp="2026-02-01T00:00:00")
    for listed in ([experiment("fprnet", 0), late], [late, experiment("fprnet", 0)]):
        assert collect(plan, listed)["fprnet"].finished[Repetition(0, 0)].revision == "late"


def test_what_failed_before_it_finished_or_was_queued_again_has_not_failed(plan, experiment):
    failed = experiment("fprnet", 0, state="failed")
    assert collect(plan, [failed, experiment("fprnet", 0)])["fprnet"].failed == set()
    assert collect(plan, [failed, experiment("fprnet", 0, state="queued")])["fprnet"].failed == set()


@pytest.mark.parametrize(("key", "value"), [("train.epochs", 3), ("extract.flip", True)])
def test_experiment_of_the_plans_name_with_other_parameters_is_left_out_and_named(plan, experiment, key, value):
    other = experiment("fprnet", 0, params={key: value})
    found = collect(plan, [other, experiment("fprnet", 1)])
    assert set(found["fprnet"].finished) == seeds(1)
    assert found["fprnet"].stale == {other.name: f"other {key}"}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert f"Left out, other {key}: {other.name}." in notes


def test_what_is_left_out_is_told_even_where_nothing_counts(plan, experiment):
    others = [experiment("fprnet", seed, params={"train.epochs": 3}) for seed in (1, 0)]
    notes = summary.comparison(plan, collect(plan, others), ["fprnet"], PROTOCOL).notes
    assert f"Left out, other train.epochs: {others[1].name}, {others[0].name}." in notes


@pytest.mark.parametrize("name", ["upset-owl", "fprnet-table8-synthetic-quick-fprnet-s0"])
def test_experiment_with_numbers_of_another_run_is_left_out_and_named(plan, experiment, name):
    found = collect(plan, [experiment("fprnet", 0, name=name, state="partial"), experiment("fprnet", 1)])
    assert set(found["fprnet"].finished) == seeds(1)
    assert (found["fprnet"].waiting, found["fprnet"].failed) == (set(), set())
    notes = summary.comparison(plan, found, ["fprnet"], PROTOCOL).notes
    assert f"Left out, numbers of another run: {name}." in notes


def test_closest_experiment_and_what_keeps_it_from_a_row_are_told(plan, experiment):
    far = {"train.epochs": 3, "train.lr": 1.0, "extract.flip": True, "loss.lambda1": 2.0, "model.upsample": False}
    near = experiment("svdnet", 0, params={"superresolve.enabled": True, "superresolve.camera": 2}, name="owl")
    queued = experiment("svdnet", 0, state="queued")
    told = closest(plan, [experiment("svdnet", 0, params=far), near, queued])
    assert told.endswith("owl is closest to a row, svdnet, but has superresolve.enabled True instead of False.")
    assert closest(plan, [experiment("svdnet", 0, params=far)]).endswith(" and 1 more.")
    assert closest(plan, [queued]) == "There is no finished experiment at all."


def test_experiment_of_another_seed_than_its_name_says_counts_for_its_seed_and_takes_the_name(plan, experiment):
    other = experiment("fprnet", 0, params={"seed": 5})
    found = collect(plan, [other])
    assert set(found["fprnet"].finished) == seeds(5)
    assert found["fprnet"].stale == {other.name: "other seed or trial"}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert not any("Left out" in note for note in notes)


def test_trial_is_part_of_the_name_and_of_what_dvc_is_told(regdb):
    assert regdb.name("full", Repetition(0, 2)) == "fprnet-table5-synthetic_regdb-quick-full-s0-t2"
    assert regdb.name("full", Repetition(3, 0)) == "fprnet-table5-synthetic_regdb-quick-full-s3"
    told = regdb.overrides("full", Repetition(3, 2))
    assert {"++seed=3", "++dataset.trial=2", "++dataset.name='synthetic_regdb'"} <= set(told)


def test_numbers_are_those_of_the_protocol_and_of_the_part_below_it(experiment):
    one = experiment("fprnet", 3)
    assert numbers(one, PROTOCOL, None, ["rank1", "mAP"]) == {"rank1": 13.0, "mAP": 23.0}
    one.metrics["synthetic"]["all_search"]["single_shot"]["reranked"] = {"rank1": 99.0}
    assert numbers(one, PROTOCOL, "reranked", ["rank1"]) == {"rank1": 99.0}


@pytest.mark.parametrize(
    ("protocol", "result"), [("synthetic/x/y", None), (PROTOCOL, "reranked"), (PROTOCOL, "mAP")]
)
def test_missing_numbers_are_an_error(experiment, protocol, result):
    with pytest.raises(UserError, match="it has no rank1"):
        numbers(experiment("fprnet", 0), protocol, result, ["rank1"])
