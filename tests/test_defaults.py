"""What commands take that read no params.yaml is what params.yaml has. CPU."""

from tests.made import CONF, read_yaml
from vireid import defaults
from vireid.retrieval.features import DEFAULT


def test_defaults_are_those_of_the_base():
    base = read_yaml(CONF / "base.yaml")
    assert base["evaluate"]["ranks"] == defaults.RANKS
    assert base["evaluate"]["embedding"] == defaults.EMBEDDING == DEFAULT
    assert base["evaluate"]["reranking"] == {
        "k1": defaults.K1,
        "k2": defaults.K2,
        "lambda_value": defaults.LAMBDA_VALUE,
    }
    assert base["figures"] == {
        "ranked_queries": defaults.RANKED_QUERIES,
        "worst_queries": defaults.WORST_QUERIES,
        "embedded_pids": defaults.EMBEDDED_PIDS,
    }
