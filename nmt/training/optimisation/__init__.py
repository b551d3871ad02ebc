"""One update: gradient, optimiser, learning rate, and how many updates there are."""
