from neuroloom.networks import (
    CompetitiveLayer,
    GrowingNeuralGas,
    HammingNetwork,
    NeuralGas,
    SelfOrganizingMap,
)


def rows(Row):
    few = {"epochs": 3, "random_state": 0}
    return [
        Row(CompetitiveLayer(n_units=4, **few)),
        Row(CompetitiveLayer(n_units=5, conscience=True, init="random", **few)),
        Row(SelfOrganizingMap(shape=(3, 2), **few)),
        Row(SelfOrganizingMap(shape=(4, 3), training="online", init="sample", grid="hexagonal", **few)),
        Row(SelfOrganizingMap(shape=5, training="online", distance="manhattan", neighborhood="mexican_hat", **few)),
        Row(NeuralGas(n_units=4, **few)),
        Row(GrowingNeuralGas(max_units=6, insert_every=20, **few)),
        Row(HammingNetwork()),
    ]
