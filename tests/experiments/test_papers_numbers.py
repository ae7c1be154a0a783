"""The numbers of the papers' tables, held by sums: a mistyped or misplaced one changes its column's. CPU."""

import pytest

from tests.made import CONF
from vireid.experiments.grid import grids, load_grid
from vireid.layers import flat

# Sum over the rows, numbered from 1, of number x value. Each row was compared with a line of its paper's text.
SUMS = {
    "fprnet/table3": {"mAP": 1595.38},
    "fprnet/table4": {"rank1": 8148.44, "rank5": 15916.39, "mAP": 8850.12},
    "fprnet/table5": {"rank1": 392.95, "rank5": 775.86, "rank20": 1159.4, "mAP": 435.69},
    "fprnet/table6": {"rank1": 402.27, "rank5": 789.44, "rank20": 1179.67, "mAP": 440.71},
    "fprnet/table8": {"rank1": 1584.41, "rank10": 4126.61, "rank20": 5039.88, "mAP": 1730.9},
    "tffn/table1": {"rank1": 1903.19, "rank10": 2373.04, "mAP": 1805.18},
    "tffn/table2": {"rank1": 1401.91, "rank10": 2445.49, "mAP": 1380.91},
    "results/methods": {"rank1": 5104.62, "mAP": 5468.91},
    "tffn/table3": {"rank1": 1539.25, "rank10": 2499.76, "mAP": 1482.21},
}
SUMS |= {f"fprnet/table{number}_trained": SUMS[f"fprnet/table{number}"] for number in (4, 6)}
OF_NO_PAPER = (
    "results/optimizers",
    "fprnet/gap",
    "fprnet/choices",
    "tffn/glfm",
    "hpiln/fig7",
    "hpiln/fig8",
    "hpiln/margin",
)
OF_NO_PAPER += tuple(f"mutual_prediction/{name}" for name in ("alpha", "beta", "readings"))
SUMS |= {comparison: {} for comparison in OF_NO_PAPER}
# Of HPILN's tables, whose numbers stand by setting: all-search single- and multi-shot, indoor search likewise.
SETTINGS = [f"{mode}_search/{shot}_shot" for mode in ("all", "indoor") for shot in ("single", "multi")]
BY_SETTING = {
    "hpiln/table2": {
        "rank1": (6355.54, 5385.78, 5290.23, 6183.26),
        "rank10": (15824.57, 11984.83, 12810.96, 13393.39),
        "rank20": (19048.09, 14058.57, 15043.0, 15381.17),
        "mAP": (6713.93, 3898.51, 6849.33, 5381.18),
    },
    "hpiln/table4": {"rank1": (3867.81, 4548.37, 4326.47, 5081.49)},
    "hpiln/table5": {"rank1": (809.98, 941.55)},
}
DIRECTIONS = ["visible_to_infrared", "infrared_to_visible"]
SINGLE_SHOT = ["all_search/single_shot", "indoor_search/single_shot"]
ABLATION = {
    "rank1": (320.05, 483.11),
    "rank10": (518.13, 544.87),
    "rank20": (559.41, 564.5),
    "mAP": (299.98, 435.26),
}
OF_MUTUAL_PREDICTION = {
    "table2": {
        "rank1": (13428.88, 8012.69),
        "rank10": (11542.32, 6374.18),
        "rank20": (9659.6, 6875.1),
        "mAP": (12944.61, 7722.42),
    },
    "table3": {
        "rank1": (9495.0, 7524.05),
        "rank10": (17249.02, 12262.86),
        "rank20": (16585.46, 11629.72),
        "mAP": (9533.09, 8900.8),
    },
    "table4": ABLATION,
    "table4_regdb": ABLATION,
}
BOTH = ["all_search/single_shot", "visible_to_infrared"]
SETTINGS_OF = {"table2": DIRECTIONS, "table3": SINGLE_SHOT, "table4": BOTH, "table4_regdb": BOTH}


def by_setting(columns, settings):
    return {
        f"{setting}.{metric}": value
        for metric, values in columns.items()
        for setting, value in zip(settings, values, strict=False)
    }


SUMS |= {table: by_setting(columns, SETTINGS) for table, columns in BY_SETTING.items()}
SUMS |= {
    f"mutual_prediction/{table}": by_setting(columns, SETTINGS_OF[table])
    for table, columns in OF_MUTUAL_PREDICTION.items()
}


@pytest.mark.parametrize("name", grids(CONF))
def test_papers_numbers_have_the_sums_of_their_columns(name):
    sums = dict.fromkeys(SUMS[name], 0.0)
    for place, row in enumerate(load_grid(CONF, name).rows.values(), start=1):
        for column, value in flat(row.paper or {}).items():
            sums[column] += place * value
    assert sums == pytest.approx(SUMS[name], abs=1e-6)
