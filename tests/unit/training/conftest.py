import sys
from pathlib import Path

import pytest
from tiny_training import write_corpus

sys.path.insert(0, str(Path(__file__).parents[2] / "reference"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny parallel corpus, with a cache that trainings share; the text is not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("tiny-corpus"))
