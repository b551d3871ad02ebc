"""Beam search, greedy search and sampling, with the back-pointers that they share."""
