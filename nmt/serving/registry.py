"""The models of a server, by name and by language pair; one of several languages is there for each of its pairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nmt.core.errors import ConfigError, DataError
from nmt.search.search_config import SearchConfig
from nmt.serving.engine import QUEUE_LINES, TIMEOUT, Engine
from nmt.translation.models import load_bundles
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator

MOST_WORKERS = 16

_NAMED = re.compile(r"([\w.-]+)=(.+)", re.DOTALL)
_PAIR = re.compile(r"([a-z]{2,3}(?:_\w+)?)-([a-z]{2,3}(?:_\w+)?)")


@dataclass(frozen=True)
class Model:
    """A model of a server.

    Args:
        name: by which requests choose it.
        source: code of the source language, if known.
        target: of the target language.
        engine: translates; the language pairs of a model share it.
    """

    name: str
    source: str | None
    target: str | None
    engine: Engine

    def asked(self, line: Request) -> Request:
        """Ask for the target language, if the model has several and the line does not do it itself."""
        if line.target_language is not None or not self.engine.translator.tags.languages:
            return line
        return replace(line, target_language=self.target)


class Registry:
    """Models, each of its own name.

    Args:
        models: the first one is taken where none is named.

    Raises:
        ConfigError: two have the same name, or there is none.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)
        _check([model.name for model in models])
        if not models:
            raise ConfigError("a server needs a model, but there is none")

    @classmethod
    def load(
        cls,
        runs: Sequence[str],
        *,
        device: str = "auto",
        search_of: Callable[[SearchConfig], SearchConfig] = lambda recipe: recipe,
        timeout: float = TIMEOUT,
        queue_lines: int = QUEUE_LINES,
    ) -> Registry:
        """Load run folders and model files.

        Args:
            runs: each a path, or ``NAME=PATH``; a name such as ``de-en`` tells the languages. Several paths joined by
                ``+`` are an ensemble.
            device: see ``Bundle.load``.
            search_of: gives the settings of search of a model, unless a request has its own, from those of its recipe.
            timeout: see ``Engine``, as for ``queue_lines``.
            queue_lines: of each model.

        On a CPU the models share torch's threads. A model computes as many batches at once as it has threads, where
        there are so many lines, which takes less time than one after the other; a batch alone has all its threads.

        Raises:
            NmtError: a model cannot be loaded, or two have the same name.
        """
        named = [_named(run) for run in runs]
        _check([name for name, _ in named])
        threads = max(1, torch.get_num_threads() // max(1, len(named)))
        return cls(
            [
                model
                for name, paths in named
                for model in _load(
                    name, paths, device, search_of, timeout=timeout, queue_lines=queue_lines, threads=threads
                )
            ]
        )

    @property
    def engines(self) -> dict[str, Engine]:
        """Every engine, by the name of its model, or of the first of its language pairs."""
        found = dict[str, Engine]()
        for model in self.models:
            if not any(engine is model.engine for engine in found.values()):
                found[model.name] = model.engine
        return found

    def get(self, name: str | None = None) -> Model:
        """Find a model by name; without one the first.

        Raises:
            DataError: there is none of that name.
        """
        if name is None:
            return self.models[0]
        for model in self.models:
            if model.name == name:
                return model
        names = ", ".join(model.name for model in self.models)
        raise DataError(f"there is no model {name!r}, but {names}")

    def by_languages(self, source: str, target: str) -> Model:
        """Find the first model of a language pair.

        Raises:
            DataError: there is none.
        """
        for model in self.models:
            if (model.source, model.target) == (source, target):
                return model
        known = (f"{model.source}-{model.target}" for model in self.models if model.source and model.target)
        pairs = ", ".join(dict.fromkeys(known))
        raise DataError(
            f"there is no model from {source!r} to {target!r}, but {pairs or 'none whose languages are known'}"
        )


def _check(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two models have the name {twice[0]}; give another one as NAME=RUN")


def _named(run: str) -> tuple[str, list[str]]:
    """The name and the paths of a model."""
    found = None if Path(run).exists() else _NAMED.fullmatch(run)
    joined = found[2] if found else run
    paths = [joined] if Path(joined).exists() else joined.split("+")
    return found[1] if found else Path(paths[0]).resolve().name, paths


def _load(
    name: str,
    paths: Sequence[str],
    device: str,
    search_of: Callable[[SearchConfig], SearchConfig],
    *,
    timeout: float,
    queue_lines: int,
    threads: int,
) -> list[Model]:
    """Load a model, which is there for each of its language pairs, named after it where there are several."""
    bundles = load_bundles(paths, device=device)
    translator = Translator(bundles, search=search_of(bundles[0].search), warn=False)
    bundle = translator.bundles[0]
    bundle.source.require_text(f"{bundle.path}: a model that is served must translate text")
    pair = _PAIR.fullmatch(name)
    tags = translator.tags
    pairs: list[tuple[str | None, str | None]] = [(bundle.source_language or None, bundle.target_language or None)]
    if pair:
        pairs = [(pair[1], pair[2])]
        if tags.languages and pair[2] not in tags.languages:
            raise DataError(
                f"{name}: {bundle.path} translates into {', '.join(tags.languages)}, and not into {pair[2]}"
            )
    elif tags.languages:
        pairs = [*tags.pairs(bundle.source_language)] or [(None, language) for language in tags.languages]
    workers = min(MOST_WORKERS, threads) if bundle.device.type == "cpu" else 1
    engine = Engine(translator, queue_lines=queue_lines, timeout=timeout, workers=workers, threads=threads)
    if len(pairs) == 1:
        return [Model(name, *pairs[0], engine)]
    return [Model(f"{name}-{source}-{target}", source, target, engine) for source, target in pairs]
