from neuroloom.networks import Hebb, Instar, Oja, Outstar, Sanger


def rows(Row):
    return [
        Row(Hebb(learning_rate=0.02)),
        Row(Outstar(epochs=3)),
        Row(Instar(epochs=3)),
        Row(Oja(epochs=5, random_state=0)),
        Row(Sanger(epochs=5, random_state=0)),
    ]
