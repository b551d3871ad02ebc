"""Training records for people: the metrics log and pictures."""
