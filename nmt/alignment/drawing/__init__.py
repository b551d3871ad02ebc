"""Plots of alignments: matplotlib figures, inline SVG, text for a terminal."""
