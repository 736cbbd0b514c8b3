from neuroloom.networks import CMAC


def rows(Row):
    return [Row(CMAC(epochs=20, random_state=0))]
