"""The register of figures: every measured number in the documents, and whether it is up to date."""
