"""Many networks at once on handwritten digits: a search for settings, and an ensemble that knows how sure it is."""

import numpy as np

import neuroloom as nl


def build(units=32):
    """A network with one hidden layer for images of 8 by 8 points."""
    layers = [
        nl.layers.Dense(units, activation="relu", input_shape=(64,)),
        nl.layers.Dropout(0.1),
        nl.layers.Dense(10, activation="softmax"),
    ]
    model = nl.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs=15, engine=None):
    """Returns the shares of 360 digits that one network and an ensemble of eight recognise, and the calibration."""
    (x_train, y_train), (x_test, y_test) = nl.datasets.digits.load_data()
    x_train, x_test = (x.reshape(-1, 64).astype("float32") / 16 for x in (x_train, x_test))

    options = {"epochs": epochs, "verbose": 0, "engine": engine}
    rates = np.geomspace(1e-3, 3e-2, 4).tolist()
    found = nl.grid_search(build, {"learning_rate": rates}, x_train, y_train, cv=3, seed=0, refit=False, **options)
    print(found)

    population = nl.population(build, seeds=range(8), **found.best_settings)
    population.fit(x_train, y_train, validation_data=(x_test, y_test), **options)
    print(population)

    together = nl.ensemble(population)
    calibration = together.calibration(x_test, y_test)
    one = population[0].evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    print(f"one network: {one:.4f}, eight: {calibration.accuracy:.4f}")
    print(calibration)
    return one, calibration


if __name__ == "__main__":
    main()
