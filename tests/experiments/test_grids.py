"""Every row of every table in `conf/experiments`: valid by each schedule, and trains one step. CPU, a minute."""

import shutil
from functools import cache

import pytest
import torch
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from tests.made import ROOT, built_small, read_yaml
from tests.methods.batches import embed_all, paired_batch, step_on, weighted_sum
from vireid.experiments.grid import Grid, grids, load_grid
from vireid.experiments.plan import Plan, make_plan
from vireid.experiments.repetition import Repetition
from vireid.methods import build_method
from vireid.params import check_section
from vireid.support.errors import UserError

CONF = ROOT / "conf"
TABLES = grids(CONF)
# Their rows are those of other tables: Table 4's with one weight more, which Table 6's rows with the same one try,
# HPILN's networks with another margin or other ranks, mutual prediction with other weights, presets as they are.
REPEATED = ("fprnet/table4_trained", "hpiln/table2", "hpiln/fig8", "hpiln/margin")
REPEATED += ("results/methods", "results/optimizers")
REPEATED += tuple(f"mutual_prediction/{name}" for name in ("table2", "table3", "table4_regdb", "alpha", "beta"))
TRIED = [table for table in TABLES if table not in REPEATED]
ROWS = [(table, row) for table in TRIED for row, values in load_grid(CONF, table).rows.items() if values.reachable]
SCHEDULES = ("smoke", "quick", "demo", "scratch", "paper")


@cache
def plan(table: str, schedule: str) -> Plan:
    grid = load_grid(CONF, table)
    return make_plan(grid, table, ROOT / "params.yaml", CONF, {"schedule": schedule}, grid.rows)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_rows_are_valid_parameters(table, schedule):
    made = plan(table, schedule)
    assert set(made.settings) == {row for row, values in made.grid.rows.items() if values.reachable}
    assert {values["schedule"] for values in made.settings.values()} == {schedule}
    assert made.prefix == f"{table.replace('/', '-')}-synthetic-{schedule}"


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_model_of_row_can_be_built(table, row):
    values = plan(table, "quick").settings[row]
    build_method(values["method"], 4, values["model"], values["loss"])


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_row_trains_one_step(table, row):
    method = built_small(plan(table, "paper").settings[row])
    batch = paired_batch([0, 1, 2, 3], *(method.takes_only or (64, 32)))
    trained = {name: p for name, p in method.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    optimizer = torch.optim.SGD(method.param_groups(0.01), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    method.on_epoch(0, [])
    step = step_on(method, batch)
    assert step.losses.keys() == method.loss_weights.keys()
    total = weighted_sum(method, step.losses)
    total.backward()
    optimizer.step()
    assert torch.isfinite(total)
    assert [name for name, p in trained.items() if p.grad is None] == []
    # Biases without a gradient start at zero and stay there; weights decay.
    assert [name for name, p in trained.items() if p.ndim > 1 and torch.equal(p, before[name])] == []
    assert all(torch.isfinite(p).all() for p in method.parameters())
    assert all(0 <= value <= 1 for value in step.measures.values())
    embeddings = embed_all(method.eval(), batch)
    assert {name: part.shape[1] for name, part in embeddings.items()} == method.embedding_dims


@pytest.mark.parametrize("table", TABLES)
def test_rows_differ_in_what_is_run(table):
    settings = list(plan(table, "quick").settings.values())
    assert all(values not in settings[:place] for place, values in enumerate(settings))


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_what_dvc_is_told_gives_the_parameters_of_the_row(table, row, tmp_path):
    # DVC's own function writes the file of the experiment.
    made = plan(table, "paper")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides(tmp_path / "params.yaml", made.overrides(row, Repetition(2, 0)))
    expected = made.settings[row] | {"seed": 2}
    assert YAML(typ="safe").load(tmp_path / "params.yaml") == expected


def test_shared_rows_of_the_tables_are_the_same_run():
    same = [("table3", "weights_1"), ("table4", "horizontal_best"), ("table5", "full"), ("table6", "full")]
    settings = [plan(f"fprnet/{table}", "quick").settings[row] for table, row in [*same, ("table8", "fprnet")]]
    assert all(values == settings[0] for values in settings)


def test_numbers_of_the_papers_best_row_agree_between_its_tables():
    full = {"rank1": 29.28, "rank5": 55.35, "rank10": 68.43, "rank20": 81.01, "mAP": 31.43}
    for table in TABLES:
        grid = load_grid(CONF, table)
        if table.startswith("fprnet/") and grid.source:
            assert grid.rows[grid.reference].paper == {metric: full[metric] for metric in grid.metrics}


def test_numbers_of_tffn_agree_between_its_tables_of_sysu_mm01():
    for table, row in (("table2", "tffn"), ("table3", "full")):
        assert load_grid(CONF, f"tffn/{table}").rows[row].paper == {"rank1": 58.37, "rank10": 91.30, "mAP": 56.02}
    assert load_grid(CONF, "tffn/table1").rows["tffn"].paper == {"rank1": 81.17, "rank10": 93.69, "mAP": 77.16}


def test_tables_have_the_papers_rows():
    printed = {table: [row.paper for row in load_grid(CONF, table).rows.values()] for table in TABLES}
    counts = {table: len([paper for paper in rows if paper]) for table, rows in printed.items()}
    fprnet = {"table3": 10, "table4": 24, "table5": 5, "table6": 5, "table8": 11}
    fprnet |= {"table4_trained": 24, "table6_trained": 5, "gap": 0, "choices": 0}
    tffn = {"table1": 7, "table2": 7, "table3": 7, "glfm": 0}
    results = {"methods": 18, "optimizers": 0}
    hpiln = {"table2": 22, "table4": 15, "table5": 9, "fig7": 0, "fig8": 0, "margin": 0}
    mutual = {"table2": 20, "table3": 21, "table4": 3, "table4_regdb": 3, "alpha": 0, "beta": 0, "readings": 0}
    papers = {"fprnet": fprnet, "tffn": tffn, "hpiln": hpiln, "mutual_prediction": mutual, "results": results}
    assert counts == {f"{paper}/{table}": n for paper, tables in papers.items() for table, n in tables.items()}


def test_rows_that_no_parameters_reach_are_methods_of_others_that_no_issue_asked_for():
    unreachable = {
        table: {name for name, row in load_grid(CONF, table).rows.items() if not row.reachable} for table in TABLES
    }
    of_both = {
        "hcml",
        "hsme",
        "d2rl",
        "mac",
        "aligngan",
        "dfe",
        "hi_cmd",
        "edfl",
        "cdp",
        "expat",
        "msr",
        "jsia",
        "cmsp",
    }
    assert {table: rows for table, rows in unreachable.items() if rows} == {
        "hpiln/table2": {"d_hsme", "ipvt_1_msr", "d2rl"},
        "tffn/table1": {"msr", "dscsn", "hi_cmd"},
        "tffn/table2": {"hi_cmd", "aligngan"},
        "mutual_prediction/table2": of_both | {"hat", "cm_ssft"},
        "mutual_prediction/table3": of_both | {"dfla"},
    }


def test_numbers_of_mutual_prediction_agree_between_tables_and_papers():
    single_shot = "all_search/single_shot"
    table3, table4 = (load_grid(CONF, f"mutual_prediction/{table}").rows for table in ("table3", "table4"))
    assert table3["ours"].paper[single_shot] == table4["cmimpl"].paper[single_shot]
    for setting, numbers in table3["hpiln"].paper.items():
        assert numbers == load_grid(CONF, "hpiln/table2").rows["bfe"].paper[setting]


def test_numbers_of_hpilns_rows_agree_between_its_tables():
    tables = {table: load_grid(CONF, f"hpiln/{table}").rows for table in ("table2", "table4", "table5")}
    for network in ("res_mid", "mgn", "pcb", "mlfn", "bfe"):
        whole = tables["table2"][network].paper
        assert {setting: {"rank1": numbers["rank1"]} for setting, numbers in whole.items()} == (
            tables["table4"][f"{network}_hpi"].paper
        )
        of_all_search = {
            key: value for key, value in tables["table4"][f"{network}_hpi"].paper.items() if "all" in key
        }
        assert tables["table5"][network].paper == of_all_search


def test_comparison_of_all_methods_has_the_numbers_of_every_paper_that_prints_them():
    rows = load_grid(CONF, "results/methods").rows
    compared = set()
    for table in ("fprnet/table8", "tffn/table2", "hpiln/table2", "mutual_prediction/table3"):
        grid = load_grid(CONF, table)
        for name, row in grid.rows.items():
            method = (row.presets or {}).get("method", grid.presets["method"] if row.set == {} else None)
            if method == "hpiln_res_mid":
                method = "hpiln"
            printed = row.paper_numbers("sysu_mm01/all_search/single_shot")
            if method in rows and printed and set(row.presets or {}) <= {"method"}:
                assert rows[method].paper == {key: printed[key] for key in ("rank1", "mAP")}, (table, name)
                compared.add(method)
    assert compared == {name for name, row in rows.items() if row.paper}


def test_rows_of_the_comparison_of_all_methods_are_called_what_rows_takes():
    assert {name: row.label for name, row in load_grid(CONF, "results/methods").rows.items()} == {
        name: name for name in load_grid(CONF, "results/methods").rows
    }


def test_papers_numbers_are_those_of_the_protocols_setting():
    row = load_grid(CONF, "hpiln/table4").rows["mgn_hp"]
    assert row.paper_numbers("synthetic/indoor_search/multi_shot") == {"rank1": 48.37}
    assert row.paper_numbers("regdb/visible_to_infrared") == {}
    full = load_grid(CONF, "fprnet/table5").rows["full"]
    assert full.paper_numbers("synthetic/indoor_search/multi_shot") == full.paper


def test_runs_of_hpilns_tables_are_shared():
    same = [
        ("table2", "res_mid"),
        ("table4", "res_mid_hpi"),
        ("table5", "res_mid"),
        ("fig7", "hpi"),
        ("margin", "m03"),
    ]
    settings = [plan(f"hpiln/{table}", "quick").settings[row] for table, row in same]
    assert all(values == settings[0] for values in settings)
    assert plan("hpiln/fig7", "quick").settings["hp"] == plan("hpiln/table4", "quick").settings["res_mid_hp"]


def test_each_row_of_hpilns_table_4_is_compared_with_its_networks_identity_loss():
    grid = load_grid(CONF, "hpiln/table4")
    assert {row: grid.reference_of(row) for row in grid.rows} == {
        row: f"{row.rsplit('_', 1)[0]}_identity" for row in grid.rows
    }


@pytest.mark.parametrize("number", [4, 6])
def test_table_that_extends_another_sets_one_value_more_in_every_row(number):
    settings = plan(f"fprnet/table{number}", "quick").settings
    trained = plan(f"fprnet/table{number}_trained", "quick")
    expected = {row: values | {"loss": values["loss"] | {"loser_weight": 0.5}} for row, values in settings.items()}
    assert trained.settings == expected
    assert trained.grid.source == load_grid(CONF, f"fprnet/table{number}").source
    assert trained.grid.caption == f"FPRnet's Table {number} with the losing block trained as well"


@pytest.mark.parametrize("name", ["table6_trained", "tabel6"])
def test_table_that_extends_itself_or_nothing_is_refused(name, tmp_path):
    conf = shutil.copytree(CONF, tmp_path / "conf")
    path = conf / "experiments/fprnet/table6_trained.yaml"
    path.write_text(path.read_text().replace("extends: table6", f"extends: {name}"))
    with pytest.raises(UserError, match="extend") as error:
        load_grid(conf, "fprnet/table6_trained")
    assert error.value.found == name
    assert "table6," in str(error.value.expected)
    assert "table6_trained" not in str(error.value.expected)


def test_rows_own_values_win_over_those_of_all_rows():
    made = plan("tffn/glfm", "quick").settings
    by_row = {row: values["loss"]["lambda_from"] for row, values in made.items()}
    assert {row for row, value in by_row.items() if value == "sum"} == {"before_sum"}
    assert set(by_row.values()) == {"sum", "mean"}


def test_values_for_all_rows_under_one_schedule_are_set_under_that_one_only():
    epochs = {
        schedule: {values["train"]["epochs"] for values in plan("tffn/glfm", schedule).settings.values()}
        for schedule in ("quick", "demo")
    }
    assert epochs == {"quick": {14}, "demo": {10}}


@pytest.fixture
def changed():
    """Check Table 5 with some of its values changed."""

    def check(**changes):
        values = read_yaml(CONF / "experiments" / "fprnet" / "table5.yaml")
        return check_section(Grid, values | changes, "table", "correct it")

    return check


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reference": "nothing"}, "reference"),
        ({"rows": {"full": {"label": "full", "set": {}, "reference": "nothing"}}}, "reference"),
        (
            {"reference": "full", "rows": {"full": {"label": "only the paper's", "paper": {"mAP": 1.0}}}},
            "reference",
        ),
        ({"metrics": ["rank-1"]}, "rank-1"),
        ({"metrics": []}, "metrics"),
        ({"rows": {"Full GridRow": {"label": "x", "set": {}}}}, "Full GridRow"),
        ({"rows": {"full": {"label": "x", "set": {}, "paper": {"mAP": 131.0}}}}, "131"),
        ({"rows": {"full": {"label": "x", "sets": {}}}}, "sets"),
    ],
)
def test_wrong_grid_is_refused(changed, changes, named):
    with pytest.raises(UserError, match=named):
        changed(**changes)


def test_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="fprnet/table4"):
        load_grid(CONF, "fprnet/table7")
