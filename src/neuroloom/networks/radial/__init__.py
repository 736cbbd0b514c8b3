"""Networks whose units answer to a place in the space of inputs."""
