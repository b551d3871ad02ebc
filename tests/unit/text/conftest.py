import random

import pytest

from nmt.text.subword import SubwordConfig
from nmt.text.training import train_subword

SYLLABLES = ["ba", "de", "grün", "ko", "li", "mü", "nah", "ost", "per", "schö", "tz", "un", "ver", "wei", "ßa"]


def make_lines(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 3))) for _ in range(150)]
    return [" ".join(draw.choices(words, k=draw.randint(2, 12))) + "." for _ in range(count)]


@pytest.fixture(scope="session")
def lines() -> list[str]:
    return make_lines(400)


@pytest.fixture(scope="session")
def models(lines, tmp_path_factory):
    """A model of every kind by name."""
    folder = tmp_path_factory.mktemp("models")
    kinds = {
        "unigram": SubwordConfig(size=120),
        "bpe": SubwordConfig(algorithm="bpe", size=120),
        "bytes": SubwordConfig(size=375, byte_fallback=True),
        "symbols": SubwordConfig(algorithm="bpe", size=120, user_symbols=("<URL>", "§")),
    }
    return {
        name: train_subword(lines, config, output=folder / f"{name}.model", name=name) for name, config in kinds.items()
    }


@pytest.fixture(params=["unigram", "bpe", "bytes", "symbols"])
def model(models, request):
    return models[request.param]
