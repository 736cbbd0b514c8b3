"""Is a film review positive or negative? Which of 10,000 words it has, and two small layers."""

import numpy as np

from neuroloom import datasets, layers, models, utils

WORDS = 10_000


def vectorize_sequences(sequences):
    """A row of 10,000 zeros for each review, with ones at its words."""
    results = np.zeros((len(sequences), WORDS), dtype="float32")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


def main(engine=None, epochs=4):
    """Train on 25,000 reviews; returns the share of 25,000 other reviews that is judged rightly."""
    utils.set_random_seed(1)
    (train_data, train_labels), (test_data, test_labels) = datasets.imdb.load_data(num_words=WORDS)
    x_train, x_test = vectorize_sequences(train_data), vectorize_sequences(test_data)

    model = models.Sequential(
        [
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x_train, train_labels, epochs=epochs, batch_size=512, engine=engine)

    _, test_acc = model.evaluate(x_test, test_labels, verbose=0, engine=engine)
    print(f"test accuracy: {test_acc:.4f}")
    return test_acc


if __name__ == "__main__":
    main()
