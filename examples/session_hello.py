"""The first program of every course on explicit graphs: a constant, and a session that gives it back."""

import neuroloom.session as nls

hello = nls.constant("Hello, neuroloom!")

with nls.Session() as sess:
    print(sess.run(hello))
