"""Optimisation: gradient of an update, optimiser, learning rate, number of updates."""
