"""Metrics: BLEU, chrF, TER and error rates with their signatures, alignment error rate, paired bootstrap."""
