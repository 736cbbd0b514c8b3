"""Handwritten digits with two layers: the first program of many courses, of Keras's only the import changed."""

from neuroloom import datasets, layers, models, utils


def main(engine=None, epochs=5):
    """Train on 60,000 digits; returns the share of 10,000 other digits that is recognised."""
    utils.set_random_seed(1)
    (train_images, train_labels), (test_images, test_labels) = datasets.mnist.load_data()
    train_images = train_images.reshape((60000, 28 * 28)).astype("float32") / 255
    test_images = test_images.reshape((10000, 28 * 28)).astype("float32") / 255

    model = models.Sequential([layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_images, train_labels, epochs=epochs, batch_size=128, engine=engine)

    _, test_acc = model.evaluate(test_images, test_labels, verbose=0, engine=engine)
    print(f"test accuracy: {test_acc:.4f}")
    return test_acc


if __name__ == "__main__":
    main()
