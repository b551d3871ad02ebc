"""Faults that ``tools/faults.py`` brings upon real trainings and real files, and what became of them."""
