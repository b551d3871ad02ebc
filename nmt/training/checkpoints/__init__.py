"""Checkpoints: what is in them, which are best, how a run goes on from one."""
