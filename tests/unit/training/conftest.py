from pathlib import Path

import pytest
from tiny_training import write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny parallel corpus, with a cache that trainings share; the text is not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("tiny-corpus"))
