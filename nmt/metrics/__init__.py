"""Metrics: BLEU and chrF with their signatures, alignment error rate, paired bootstrap."""
