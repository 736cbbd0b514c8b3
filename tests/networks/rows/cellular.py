from neuroloom.networks import CellularNetwork


def rows(Row):
    return [
        Row(CellularNetwork(max_steps=30)),
        Row(CellularNetwork(template="noise", neighbours=4, border="torus", start="zero", max_steps=30)),
        Row(CellularNetwork(border="copy", max_steps=30)),
    ]
