"""Scenes of coloured shapes: where they stand, what is said of them, how they are drawn."""
