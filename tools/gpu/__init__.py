"""The parts of ``tools/gpu_check.py``: each is a program that prints JSON lines, and runs in a process of its own."""
