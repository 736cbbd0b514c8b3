from neuroloom.networks import ConnectedNetwork


def rows(Row):
    return [
        Row(ConnectedNetwork(max_steps=10)),
        Row(ConnectedNetwork(activation="sigmoid", bias=0.1, max_steps=10)),
    ]
