"""Adding and multiplying: constants first, then placeholders, and a graph written for TensorBoard.

python examples/session_arithmetic.py [folder]      then      tensorboard --logdir folder
"""

import sys

import neuroloom.session as nls

a = nls.constant(2, name="a")
b = nls.constant(3, name="b")
with nls.Session() as sess:
    print(f"with constants: a + b = {sess.run(a + b)}, a * b = {sess.run(a * b)}")

x = nls.placeholder(nls.int16, name="x")
y = nls.placeholder(nls.int16, name="y")
with nls.name_scope("arithmetic"):
    total = nls.add(x, y, name="sum")
    product = nls.multiply(x, y, name="product")

with nls.Session() as sess:
    print(f"with placeholders: x + y = {sess.run(total, feed_dict={x: 2, y: 3})}")
    print(f"with placeholders: x * y = {sess.run(product, feed_dict={x: 2, y: 3})}")
    if len(sys.argv) > 1:
        nls.summary.FileWriter(sys.argv[1], sess.graph).close()

rows = nls.constant([[3.0, 3.0]])
columns = nls.constant([[2.0], [2.0]])
with nls.Session() as sess:
    print(f"matrix product: {sess.run(nls.matmul(rows, columns))}")
