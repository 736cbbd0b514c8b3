"""How long an epoch takes: neuroloom beside other libraries and hand-written loops, in one run.

    python -m benchmarks                          all rows, all peers; writes benchmarks/results/
    python -m benchmarks --quick                  the same in under five minutes, with fewer repeats
    python -m benchmarks --rows tiny,mlp --peers neuroloom-jax,torch

A row of `rows.ROWS` is a program; an entry of `peers.PEERS` is a way to run it; `targets.TARGETS` says what is wanted.
"""
