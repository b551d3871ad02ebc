"""Other toolkits for comparison: their environments, and a driver for each that runs in its own environment."""
