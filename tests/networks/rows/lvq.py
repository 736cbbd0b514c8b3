from neuroloom.networks import GLVQ, GMLVQ, GRLVQ, LVQ, RSLVQ


def rows(Row):
    rules = [
        Row(LVQ(rule=rule, epochs=4, prototypes_per_class=2, random_state=0)) for rule in ("lvq1", "olvq1", "lvq3")
    ]
    few = {"max_iter": 5, "random_state": 0}
    costs = [GLVQ(**few), GRLVQ(**few), GMLVQ(rank=2, **few), RSLVQ(prototypes_per_class=2, **few)]
    return [*rules, *(Row(network, checks="torch") for network in costs)]
