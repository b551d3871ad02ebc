"""Foundation of all rooms: errors, strict configuration, registries, tensors, files, devices, seeding, logging."""
