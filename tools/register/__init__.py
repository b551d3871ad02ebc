"""The register of figures: what every measured number of the documents is, and whether it still stands."""
