"""Other toolkits beside this one: their environments, and a driver for each that runs in its own."""
