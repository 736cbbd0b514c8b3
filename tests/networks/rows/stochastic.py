from neuroloom.networks import (
    BernoulliRBM,
    BoltzmannMachine,
    DeepBeliefClassifier,
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    GaussianRBM,
    HopfieldTank,
)

few = {"n_components": 4, "epochs": 2, "batch_size": 16, "random_state": 0}
deep = {"epochs": 2, "pretrain_epochs": 1, "mean_field_steps": 3, "k": 1, "batch_size": 16, "random_state": 0}
tuned = {"layers": (12,), "batch_size": 16, "tuning_epochs": 30, "tuning_rate": 0.02}


def rows(Row):
    return [
        Row(BernoulliRBM(**few)),
        Row(BernoulliRBM(persistent=False, k=2, momentum=0.5, weight_decay=0.01, **few)),
        Row(GaussianRBM(**few)),
        Row(BoltzmannMachine(n_hidden=2, epochs=2, sweeps=2, chains=9, temperatures=(2.0,), random_state=0)),
        Row(BoltzmannMachine(method="exact", n_hidden=1, epochs=5, random_state=0)),
        Row(DeepBeliefNetwork(layers=(4, 3), epochs=2, batch_size=16, random_state=0)),
        Row(DeepBeliefClassifier(**tuned, visible="gaussian", epochs=2, random_state=0), checks="jax"),
        Row(DeepBoltzmannMachine(layers=(4, 3, 2), **deep)),
        Row(HopfieldTank(starts=2, max_steps=20, random_state=0)),
    ]
