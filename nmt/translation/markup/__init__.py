"""Markup in lines: taken out before they are translated, and put back by the alignment."""
