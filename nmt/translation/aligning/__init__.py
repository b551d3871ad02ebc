"""Forced alignment of given translations: evidence, both directions, faithfulness."""
