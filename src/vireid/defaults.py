"""What commands take that read no params.yaml; a test holds these values to conf/base.yaml."""

EMBEDDING = "default"  # the one that the model's paper ranks
RANKS = [1, 5, 10, 20]
K1, K2, LAMBDA_VALUE = 20, 6, 0.3  # of re-ranking, its paper's
RANKED_QUERIES, WORST_QUERIES, EMBEDDED_PIDS = 5, 5, 20  # that figures show
