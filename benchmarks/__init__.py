"""How long things take: neuroloom beside other libraries and hand-written loops, in one run.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks                          all rows, all peers; writes benchmarks/results/ after each row
    python -m benchmarks --quick                  fewer peers, measured once, in under five minutes
    python -m benchmarks --rows tiny,mlp --peers neuroloom-jax,torch
    python -m benchmarks --resume                 what an interrupted run did not come to
    python -m benchmarks.readme                   the README's table, from the results
    python -m benchmarks.page                     docs/fast.md, from the results

A row of `rows.ROWS` is a program; an entry of `peers.PEERS` is a way to run it; `targets.TARGETS` says what is wanted.
Where an NVIDIA GPU is found, the rows of `rows.GPU_ROWS` are measured on it and get a table of their own.

Peers whose libraries this interpreter lacks run under the first interpreter of BENCHMARKS_PYTHON that has them:

    BENCHMARKS_PYTHON=~/tensorflow/bin/python python -m benchmarks

It names one or more, with the system's path separator between them; they need the peers' libraries and NumPy, not
neuroloom. A peer that has no interpreter is listed in the report as such.
"""
