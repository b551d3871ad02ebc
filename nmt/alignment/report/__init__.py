"""Alignments as a self-contained HTML page; needs neither torch nor matplotlib."""
