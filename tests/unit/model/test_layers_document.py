"""docs/layers.md says of every option of layers what the code says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from registered import ours

from nmt.core.config.ranges import problems_of
from nmt.model.decoder.base import DecoderConfig
from nmt.model.encoder.base import EncoderConfig

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "layers.md"


def taking(option: str, value: Any) -> set[str]:
    """Name the encoders and decoders that take an option."""
    found = set()
    for family in (EncoderConfig, DecoderConfig):
        for name in ours(family):
            config = family.registry.find(name)()
            if hasattr(config, option) and not list(problems_of(replace(config, **{option: value}))):
                found.add(name)
    return found


def test_every_option_has_its_row() -> None:
    rows = [line.strip("|").split("|") for line in DOCUMENT.read_text(encoding="utf-8").split("\n") if "(20" in line]
    told = set()
    for keys, _, where in rows:
        for key in keys.split(", "):
            ((option, value),) = yaml.safe_load(key.strip().strip("`")).items()
            told.add(option)
            assert taking(option, value) == set(where.replace(";", ",").replace(" ", "").split(",")), key
    options = {"cell", "layers", "residual", "transition", "context_layers"}
    assert told == options


def test_what_a_decoder_does_not_take_is_refused_by_name() -> None:
    """A decoder of somebody's own too, which says nothing of these options."""
    asked = {"context_layers": "all", "residual": True, "transition": 1}
    summed, luong, bahdanau = (
        DecoderConfig.registry.find(name)(**asked, layers=2) for name in ("summed", "luong", "bahdanau")
    )
    assert dict(problems_of(summed)) == {
        "context_layers": "must be lowest in the summed decoder; or choose decoder: bahdanau or conditional",
        "residual": "must be false in the summed decoder; or choose decoder: bahdanau or conditional or luong",
        "transition": "must be 0 in the summed decoder; or choose decoder: bahdanau or conditional or luong",
    }
    ((place, message),) = problems_of(luong)
    assert (place, message.split(";")[0]) == ("context_layers", "must be lowest in the luong decoder")
    assert not list(problems_of(bahdanau))
    previous = replace(bahdanau, readout=replace(bahdanau.readout, state="previous"))
    ((place, message),) = problems_of(previous)
    assert (place, message.split()[:5]) == ("readout.state", ["must", "be", "current", "with", "residual,"])
