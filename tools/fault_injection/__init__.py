"""Faults that ``tools/faults.py`` injects into real trainings and real files, and their outcomes."""
