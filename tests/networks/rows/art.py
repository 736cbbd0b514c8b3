from neuroloom.networks import ART1, ART2A, ARTMAP, FuzzyART


def rows(Row):
    return [
        Row(ART1(max_iter=5)),
        Row(FuzzyART(max_iter=5)),
        Row(FuzzyART(learning_rate=0.5, fast_commit=False, max_iter=3)),
        Row(ART2A(theta=0.1, vigilance=0.7, max_iter=3)),
        Row(ARTMAP(max_iter=5)),
    ]
