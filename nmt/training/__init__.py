"""Training: trainer, objectives and loss terms, optimiser and schedule, validation, checkpoints."""
