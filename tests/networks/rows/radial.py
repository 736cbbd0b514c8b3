from neuroloom.networks import ELMClassifier, ELMRegressor, RBFClassifier, RBFRegressor


def rows(Row):
    few = {"n_centers": 15, "random_state": 0}
    return [
        Row(RBFRegressor(**few)),
        Row(RBFRegressor(centers="ols", **few)),
        Row(RBFRegressor(centers="gradient", max_iter=5, **few), checks="torch"),
        Row(RBFClassifier(width=1.5, **few)),
        Row(RBFClassifier(centers="ols", **few)),
        Row(ELMRegressor(n_hidden=30, random_state=0)),
        Row(ELMClassifier(n_hidden=30, activation="sigmoid", random_state=0)),
    ]
