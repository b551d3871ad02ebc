"""Forced alignment of given translations: by what evidence, in both directions, how faithful, against gold links."""
