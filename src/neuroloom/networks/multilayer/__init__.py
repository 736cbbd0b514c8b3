"""Networks of several layers that learn by gradients, layer by layer, or by least squares."""
