from neuroloom.networks import CascadeCorrelationClassifier, CascadeCorrelationRegressor


def rows(Row):
    few = {"max_units": 2, "candidates": 3, "epochs": 20, "random_state": 0}
    return [
        Row(CascadeCorrelationClassifier(**few), checks="torch"),
        Row(CascadeCorrelationRegressor(algorithm="quickprop", **few), checks="torch"),
    ]
