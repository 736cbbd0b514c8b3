"""Networks of one layer: threshold units and Hebbian learning."""
