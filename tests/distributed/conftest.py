from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ranks import Ranks
from tiny_training import recipe_text, write_corpus


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.distributed)
            item.add_marker(pytest.mark.slow)
            if not torch.distributed.is_available():
                item.add_marker(pytest.mark.skip(reason="needs a torch with distributed"))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranks]:
    """Starts the processes of trainings."""
    started = Ranks(tmp_path_factory.mktemp("ranks"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny parallel corpus and a recipe, with a cache that trainings share; not to be changed."""
    root = write_corpus(tmp_path_factory.mktemp("corpus"))
    (root / "recipe.yaml").write_text(recipe_text(root), encoding="utf-8")
    return root
