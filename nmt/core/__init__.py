"""What all else is built on: errors, strict configuration, registries, tensors, files, devices, seeding, logging."""
