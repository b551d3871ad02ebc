import random
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.core import config as configs
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import encode_corpus, prepare_vocabulary, read_training_pairs

WORDS = {"der": "the", "Hund": "dog", "läuft": "runs", "ein": "a", "Haus": "house", "sieht": "sees", "grün": "green"}


def write_parallel(folder: Path, count: int, seed: int = 0) -> None:
    draw = random.Random(seed)
    rows = [draw.choices(sorted(WORDS), k=draw.randint(1, 14)) for _ in range(count)]
    (folder / "train.de").write_text("".join(" ".join(row) + "\n" for row in rows), encoding="utf-8")
    english = [[WORDS[word] for word in row for _ in range(draw.randint(1, 2))] for row in rows]
    (folder / "train.en").write_text("".join(" ".join(row) + "\n" for row in english), encoding="utf-8")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Config, vocabularies and encoded corpus of 300 generated pairs."""
    root = tmp_path_factory.mktemp("corpus")
    write_parallel(root, 300)
    config = configs.from_mapping(
        DataConfig,
        {
            "root": str(root),
            "train": [{"source": "train.de", "target": "train.en"}],
            "subword": {"algorithm": "bpe", "size": 60},
            "batch": {"size": 120},
            "filters": {"max_ratio": None},
        },
        name="test",
    )
    pairs = read_training_pairs(config, cache=root / "cache")
    vocabularies = prepare_vocabulary(config, pairs, root / "vocabulary")
    corpus = encode_corpus(pairs, vocabularies, config, cache=root / "cache")
    return replace(config), vocabularies, corpus
