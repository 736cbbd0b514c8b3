"""A network with two hidden layers on MNIST from variables and matrix products: 1,000 batches of 128, Adam.

    python examples/session_mnist.py                  learning rate 0.001, rectified hidden units
    python examples/session_mnist.py 0.1 identity     rate 0.1, hidden units without activation, as old courses have it

With a rate of 0.1, rectified units are soon switched off for good (accuracies from 0.25 to 0.89, by chance).
"""

import itertools
import sys

import neuroloom.session as nls
from neuroloom.datasets import mnist

SIZES = (784, 256, 256, 10)


def main(rate=0.001, activation="relu", engine=None):
    """Test accuracy after 1,000 batches."""
    data = mnist.read_data_sets(one_hot=True)
    with nls.Graph().as_default():
        x = nls.placeholder(nls.float32, [None, SIZES[0]], name="x")
        labels = nls.placeholder(nls.float32, [None, SIZES[-1]], name="labels")

        value = x
        for i, (before, after) in enumerate(itertools.pairwise(SIZES)):
            with nls.name_scope(f"layer_{i + 1}"):
                w = nls.Variable(nls.random_normal([before, after], stddev=0.05, seed=i), name="weights")
                b = nls.Variable(nls.zeros([after]), name="biases")
                value = nls.add(nls.matmul(value, w), b)
                if after != SIZES[-1]:
                    value = nls.nn.relu(value) if activation == "relu" else nls.identity(value)

        loss = nls.reduce_mean(nls.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=value))
        train = nls.train.AdamOptimizer(learning_rate=rate).minimize(loss)
        right = nls.equal(nls.argmax(value, 1), nls.argmax(labels, 1))
        accuracy = nls.reduce_mean(nls.cast(right, nls.float32))

        with nls.Session(engine=engine) as sess:
            sess.run(nls.global_variables_initializer())
            for step in range(1, 1001):
                images, targets = data.train.next_batch(128)
                feed = {x: images, labels: targets}
                sess.run(train, feed_dict=feed)
                if step % 250 == 0:
                    print(f"batch {step}: loss {sess.run(loss, feed_dict=feed):.4f}")
            result = sess.run(accuracy, feed_dict={x: data.test.images, labels: data.test.labels})
    print(f"test accuracy {result:.4f}")
    return float(result)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *sys.argv[2:])
