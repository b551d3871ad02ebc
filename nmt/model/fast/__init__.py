"""Fast paths: what the formulas of ``nmt.model`` compute, in another way."""
