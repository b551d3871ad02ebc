import sys
from pathlib import Path

import pytest
from tiny_training import write_corpus

sys.path.insert(0, str(Path(__file__).parents[2] / "reference"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny parallel corpus, with a cache that trainings share; the text is not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("tiny-corpus"))


@pytest.fixture(scope="module")
def aligned(corpus: Path) -> Path:
    """The tiny corpus, whose targets are the words in reversed order, with its links; every fourth line is empty."""
    lines = (corpus / "train.xx").read_text().splitlines()
    with (corpus / "train.align").open("w") as file:
        for index, line in enumerate(lines):
            words = len(line.split())
            links = [f"{word}-{words - 1 - word}" for word in range(words)] if index % 4 else []
            file.write(" ".join(links) + "\n")
    return corpus
