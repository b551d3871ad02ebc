"""Training: trainer, run state, objective, optimiser, schedule, validation, checkpoints."""
