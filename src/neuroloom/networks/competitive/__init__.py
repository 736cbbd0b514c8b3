"""Networks whose units compete for inputs: maps, gases, quantisers."""
