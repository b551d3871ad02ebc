"""Strict YAML to frozen dataclasses: every error at once, with its path, its line and the nearest valid name."""

from nmt.core.config.loading import from_mapping, load, load_file
from nmt.core.config.writing import to_mapping, to_yaml

__all__ = ["from_mapping", "load", "load_file", "to_mapping", "to_yaml"]
