"""Metrics: BLEU, chrF and TER with their signatures, alignment error rate, paired bootstrap."""
