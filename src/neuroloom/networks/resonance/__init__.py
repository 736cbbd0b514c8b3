"""Adaptive resonance: categories that are made when nothing fits."""
