from neuroloom.networks import BAM, BrainStateInABox, HammingMemory, ThresholdHopfield


def rows(Row):
    return [
        Row(BAM()),
        Row(HammingMemory()),
        Row(BrainStateInABox(rule="hebb", max_steps=50)),
        Row(BrainStateInABox(epochs=3, max_steps=50)),
        Row(ThresholdHopfield(max_sweeps=10, random_state=0)),
        Row(ThresholdHopfield(units="binary", thresholds=0.5, max_sweeps=10, random_state=0)),
    ]
