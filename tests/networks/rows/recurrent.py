from neuroloom.networks import (
    EchoStateRegressor,
    ElmanClassifier,
    ElmanRegressor,
    JordanClassifier,
    JordanRegressor,
)


def rows(Row):
    few = {"n_hidden": 10, "max_iter": 25, "learning_rate": 0.05, "random_state": 0}
    return [
        Row(EchoStateRegressor(n_units=60, random_state=0)),
        Row(ElmanRegressor(**few), checks="torch"),
        Row(ElmanClassifier(**few), checks="torch"),
        Row(JordanRegressor(**few), checks="torch"),
        Row(JordanClassifier(memory=0.5, **few), checks="torch"),
    ]
