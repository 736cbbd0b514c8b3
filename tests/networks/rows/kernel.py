from neuroloom.networks import GRNN, PNN


def rows(Row):
    return [Row(GRNN()), Row(GRNN(sigma=0.7)), Row(PNN()), Row(PNN(sigma=0.7))]
