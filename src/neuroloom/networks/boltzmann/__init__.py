"""Stochastic networks: Boltzmann machines, and what is made of them."""
