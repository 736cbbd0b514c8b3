from neuroloom.networks import Adaline, DeltaRule, McCullochPitts, Perceptron


def rows(Row):
    return [
        Row(McCullochPitts()),
        Row(McCullochPitts(threshold=2.0, inhibition="weighted")),
        Row(Perceptron(max_iter=20, random_state=0)),
        Row(Perceptron(max_iter=10, pocket=True, fit_intercept=False, learning_rate=0.5, random_state=0)),
        Row(Adaline(max_iter=10, random_state=0)),
        Row(DeltaRule(max_iter=10, random_state=0)),
        Row(DeltaRule(activation="tanh", normalize=False, shuffle=False, learning_rate=0.01, max_iter=5)),
    ]
