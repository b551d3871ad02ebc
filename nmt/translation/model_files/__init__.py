"""Trained models in a run folder or one file: validation (`stored`, `packed`), loading, export."""
