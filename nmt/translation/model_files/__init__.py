"""Trained models on disk, in a run folder or in one file: checked (`stored`, `packed`), loaded, and exported."""
