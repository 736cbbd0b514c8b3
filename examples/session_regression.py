"""Linear regression, one sample at a time, with a learning rate that is fed and halved every 100 epochs."""

import time

import numpy as np
from sklearn.datasets import make_regression

import neuroloom.session as nls

EPOCHS = 1000

X, Y = make_regression(n_samples=42, n_features=1, noise=10.0, random_state=0)
X, Y = X[:, 0].astype("float32"), (Y / Y.std()).astype("float32")

x = nls.placeholder(nls.float32, name="x")
y = nls.placeholder(nls.float32, name="y")
rate = nls.placeholder(nls.float32, shape=[], name="rate")
slope = nls.Variable(0.0, name="slope")
intercept = nls.Variable(0.0, name="intercept")

predicted = nls.add(nls.multiply(x, slope), intercept)
cost = nls.reduce_mean(nls.square(predicted - y))
train = nls.train.GradientDescentOptimizer(rate).minimize(cost)
init = nls.global_variables_initializer()

with nls.Session() as sess:
    sess.run(init)
    started = time.perf_counter()
    for epoch in range(EPOCHS):
        eta = 0.02 * 0.5 ** (epoch // 100)
        for a, b in zip(X, Y, strict=True):
            sess.run(train, feed_dict={x: a, y: b, rate: eta})
        if epoch % 200 == 199:
            print(f"epoch {epoch + 1}: cost {sess.run(cost, feed_dict={x: X, y: Y}):.5f}")
    seconds = time.perf_counter() - started
    found = sess.run([slope, intercept])

best = np.polyfit(X, Y, 1)
print(f"slope {found[0]:.5f} (least squares {best[0]:.5f}), intercept {found[1]:.5f} ({best[1]:.5f})")
print(f"{EPOCHS * len(X)} runs in {seconds:.1f} s")
