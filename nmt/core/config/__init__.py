"""From strict YAML to frozen dataclasses: reports all errors, each with path, line and nearest valid name."""

from nmt.core.config.loading import from_mapping, load, load_file, load_plain
from nmt.core.config.writing import commented_yaml, differences, shown, to_mapping, to_yaml

__all__ = [
    "commented_yaml",
    "differences",
    "from_mapping",
    "load",
    "load_file",
    "load_plain",
    "shown",
    "to_mapping",
    "to_yaml",
]
