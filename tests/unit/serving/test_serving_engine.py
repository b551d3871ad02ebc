"""One model behind a queue: everybody gets what the translator alone would give."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tiny_run import sentences

from nmt.serving.engine import Engine, Stopped
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator


def test_clients_at_once_get_what_each_would_get_alone(tiny_run: Path) -> None:
    translator = Translator.load(tiny_run)
    requests = [Request(line) for line in sentences(12)]

    async def ask() -> list[str]:
        engine = Engine(translator)
        await engine.start()
        answers = await asyncio.gather(*(engine.translate([request]) for request in requests))
        await engine.stop()
        assert engine.lines == 0
        with pytest.raises(Stopped, match="ending"):
            await engine.translate(requests[:1])
        return [answer.text for (answer,) in answers]

    assert asyncio.run(ask()) == [translator.translate([request])[0].text for request in requests]
