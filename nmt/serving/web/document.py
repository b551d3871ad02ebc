"""The OpenAPI document: also the bodies that routes read for themselves, and the ranges of search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nmt.core.config.ranges import ranges_of
from nmt.search.search_config import SearchConfig

# Key of a schema: the bound in the words of a range.
_BOUNDS = {
    "minimum": r"(?:at least|between) ([\d,]+)",
    "maximum": r"(?:at most|between [\d,]+ and) ([\d,]+)",
    "exclusiveMinimum": r"above ([\d,]+)",
    "exclusiveMaximum": r"below ([\d,]+)",
}


def complete_document(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> frozenset[str]:
    """Make the document of an application complete; returns the paths in it.

    Args:
        app: with all its routes; the document is made once.
        bodies: models to which its routes refer by name.
    """
    document = app.openapi()
    template = "#/components/schemas/{model}"
    _, schemas = models_json_schema([(model, "validation") for model in bodies], ref_template=template)
    described = document["components"]["schemas"]
    described.update(schemas["$defs"])
    _tell_ranges(described[SearchConfig.__name__])
    return frozenset(document["paths"])


def _tell_ranges(search: dict[str, Any]) -> None:
    """Say what each key of search must be; what is not given is as in the recipe, and not as in the class."""
    ranges = ranges_of(SearchConfig)
    for name, field in search["properties"].items():
        field.pop("default", None)
        if name in ranges:
            words = ranges[name].words
            field["description"] = f"must be {words}"
            for key, pattern in _BOUNDS.items():
                if found := re.search(pattern, words):
                    field[key] = int(found[1].replace(",", ""))
    search["additionalProperties"] = False
    search["description"] = "How translations are searched for (recipes/reference.yaml)."
