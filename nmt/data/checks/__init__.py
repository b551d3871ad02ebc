"""The checks of corpora by `nmt-check`."""
