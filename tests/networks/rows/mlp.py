from neuroloom.networks import MultilayerPerceptronClassifier, MultilayerPerceptronRegressor


def rows(Row):
    few = {"hidden": (6,), "random_state": 0}
    skip = {"connections": [(0, 1), (1, 2), (0, 2)], "hidden": (4,), "random_state": 0}
    return [
        # from some 20 epochs on a gradient is as small as rounding, and rprop goes by its sign
        Row(MultilayerPerceptronClassifier(epochs=15, **few), checks="torch"),
        Row(
            MultilayerPerceptronClassifier(algorithm="adam", learning_rate=0.1, batch_size=64, epochs=15, **few),
            checks="torch",
        ),
        Row(MultilayerPerceptronRegressor(algorithm="lm", epochs=4, **skip), checks="torch"),
        Row(MultilayerPerceptronRegressor(algorithm="cgp", epochs=10, **few), checks="torch"),
        Row(MultilayerPerceptronRegressor(algorithm="lbfgs", epochs=15, **few), checks="torch"),
    ]
