"""Classification: handwritten digits, and capital letters that noise has reached.

The digits are scikit-learn's, of 8 x 8 pixels, a fifth of them for the test. The letters are 26 bitmaps of 8 x 8
pixels, of which any has turned over with a probability of 0.15; networks learn from 40 such copies of each and are
tested on 40 others. What is best possible there is known: the nearest of the clean bitmaps, as all pixels are equally
likely to turn over, and a Hamming network that was given them finds it. No setting was chosen by the test data.
"""

import numpy as np
import real
from sklearn.metrics import confusion_matrix

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import GLVQ, PNN, ELMClassifier, HammingNetwork, RBFClassifier

NOISE = 0.15


def digits():
    """Accuracy of four networks on new digits, and the answers of the first."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16
    networks = [
        PNN(),
        ELMClassifier(n_hidden=500, alpha=0.1, random_state=0),
        RBFClassifier(n_centers=200, random_state=0),
        GLVQ(prototypes_per_class=3, random_state=0),
    ]
    found = {type(net).__name__: net.fit(x, y).predict(x_test) for net in networks}
    return {name: (answers == y_test).mean() for name, answers in found.items()}, (y_test, found["PNN"])


def letters(copies=40):
    """Accuracy on noisy letters: of a network that knows the clean ones, and of one that saw noisy ones only."""
    names, clean = real.letters()
    rng = np.random.default_rng(0)

    def noisy():
        x = np.repeat(clean, copies, axis=0)
        return np.where(rng.random(x.shape) < NOISE, 1 - x, x)

    x, x_test, y = noisy(), noisy(), np.repeat(names, copies)
    known = HammingNetwork().fit(2 * clean - 1, names)
    learned = ELMClassifier(n_hidden=800, alpha=10.0, random_state=0).fit(x, y)
    return {
        "the clean letters known (HammingNetwork)": known.score(2 * x_test - 1, y),
        "from noisy copies (ELMClassifier)": learned.score(x_test, y),
    }


def main():
    results, (wanted, found) = digits()
    for name, accuracy in results.items():
        print(f"digits, {name}: {accuracy:.3f} of {len(wanted)} right")
    noisy = letters()
    for name, accuracy in noisy.items():
        print(f"letters, {name}: {accuracy:.3f} of 1040 right")
    return results | noisy, [plots.confusion_matrix(confusion_matrix(wanted, found))]


if __name__ == "__main__":
    main()
