"""Checkpoints: content, ranking, averaging and resumption."""
