"""Training: the trainer, objectives and loss terms, optimiser and schedule, validation, checkpoints."""
