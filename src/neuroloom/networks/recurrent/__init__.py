"""Networks that feed themselves back over time."""
