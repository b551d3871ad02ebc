"""Alignments as one self-contained HTML page; needs neither torch nor matplotlib."""
