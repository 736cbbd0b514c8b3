"""Associative memories and other networks that settle."""
