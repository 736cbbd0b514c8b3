from neuroloom.networks import ContinuousHopfield, DenseAssociativeMemory, Hopfield, ModernHopfield


def rows(Row):
    return [
        Row(Hopfield(max_sweeps=10, random_state=0)),
        Row(Hopfield(rule="storkey", update="synchronous", max_sweeps=10)),
        Row(Hopfield(rule="pseudo-inverse", max_sweeps=10, random_state=1)),
        Row(ContinuousHopfield(max_steps=50, gain=2.0)),
        Row(DenseAssociativeMemory(max_sweeps=10, random_state=0)),
        Row(ModernHopfield(max_steps=20)),
    ]
