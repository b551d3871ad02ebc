"""Floor 0: errors, strict configuration, registries, tensors, seeding, logging, devices."""
