from __future__ import annotations

import itertools
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import CHECKPOINT, make_run

from nmt.core.logging import logger, logging_kept
from nmt.search.search_config import SearchConfig
from nmt.translation.copying import CopyConfig
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.output.gallery import Gallery
from nmt.translation.output.rendering import MOST_PROCESSES, Plan, Rendering, RenderingPool, Written
from nmt.translation.translator import Translator
from nmt.translation.windows import Window, numbered

LINES = ["ab", "", "cd ef", "gh ij ab", "  ", "ab", "de"]


class Elsewhere:
    """Stands for processes; notes what it is given."""

    pools: list[Elsewhere] = []  # noqa: RUF012

    def __init__(self, build: Callable[[], Any], processes: int, **_: str) -> None:
        self.processes = processes
        self.given: list[Window] = []
        self.pools.append(self)

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *exception: object) -> None:
        self.given.append(([], -1))

    def map(self, windows: Iterator[Window]) -> Iterator[Written]:
        for window in windows:
            self.given.append(window)
            yield Written(b"elsewhere", (), ())


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Elsewhere]:
    monkeypatch.setattr("nmt.translation.output.rendering.Processes", Elsewhere)
    monkeypatch.setattr(Elsewhere, "pools", [])
    return Elsewhere.pools


@pytest.fixture(scope="module")
def here(tiny_run: Path) -> Rendering:
    plan = Plan(runs=(tiny_run,), device="cpu")
    return Rendering(plan.translator(), plan)


def windows(*sizes: int, first: int = 1) -> Iterator[Window]:
    return numbered(iter([["ab"] * size for size in sizes]), first)


def test_windows_are_numbered_by_their_first_lines() -> None:
    assert [first for _, first in windows(2, 3, 1, first=5)] == [5, 7, 10]


def test_a_rendering_gives_what_is_written_and_what_to_note(tiny_run: Path) -> None:
    plan = Plan(runs=(tiny_run,), device="cpu", max_pieces=4, long_lines="report")
    written = Rendering(plan.translator(), plan)((LINES, 11))
    texts = Translator.load(tiny_run, max_pieces=4, long_lines="report").translate(LINES)
    assert written.output.decode() == "".join(f"{each.text}\n" for each in texts)
    assert written.untranslated == tuple(11 + n for n, each in enumerate(texts) if each.problem) != ()
    assert written.cut == tuple(11 + n for n, each in enumerate(texts) if each.best.cut)


def test_every_process_loads_the_checkpoints_that_are_named(tiny_run: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    other = run / "checkpoints" / "step-00000900"
    shutil.copytree(run / "checkpoints" / CHECKPOINT, other)
    (run / "best.json").write_text('{"checkpoint": "step-00000900"}')
    for checkpoints, loaded in (((), [CHECKPOINT, other.name]), ((None, CHECKPOINT), [CHECKPOINT, CHECKPOINT])):
        plan = Plan(runs=(tiny_run, run), device="cpu", checkpoints=checkpoints)
        assert [bundle.checkpoint for bundle in plan.translator().bundles] == loaded


def test_every_setting_of_a_plan_reaches_the_translator(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"device": "cpu", "search": SearchConfig(beam_size=2), "batch_tokens": 9, "attention": True}
    changed |= {"copying": CopyConfig(replace_unknown=True), "max_pieces": 7, "long_lines": "report"}
    changed |= {"precision": "bf16", "fast_paths": False, "root": Path("elsewhere"), "target_language": "fr"}
    plan = Plan(runs=(Path("run"),), **changed)
    given: list[tuple[Any, dict[str, Any]]] = []
    wanted = [
        {name: changed[name] for name in signature(call).parameters if name in {each.name for each in fields(Plan)}}
        for call in (Bundle.load, Translator)
    ]
    assert {*wanted[0], *wanted[1]} == {*changed}, "and no setting is left as it is by default"
    assert all(getattr(plan, name) != each.default for each in fields(Plan) if (name := each.name) in changed)
    for name, place in (("Bundle.load", 0), ("Translator", 1)):
        stub = lambda *arguments, place=place, **settings: given.append((place, settings))  # noqa: E731
        monkeypatch.setattr(f"nmt.translation.output.rendering.{name}", stub)
    plan.translator()
    for place, settings in given:
        assert {**settings, **wanted[place]} == settings
    assert [place for place, _ in given] == [0, 1]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_process_of_several_has_one_thread_and_is_quiet(
    tiny_run: Path, verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    with logging_kept():
        assert Plan(runs=(tiny_run,), device="cpu", verbose=verbose).alone()((["ab"], 1)).output
        assert logger.isEnabledFor(logging.INFO) is verbose and logger.isEnabledFor(logging.WARNING)
    assert threads == [1]


def test_pictures_are_named_by_the_lines_of_their_own_input(tiny_run: Path, tmp_path: Path) -> None:
    plan = Plan(runs=(tiny_run,), device="cpu", attention=True)
    gallery = Gallery(tmp_path, count=9, format="svg")
    rendering = Rendering(plan.translator(), plan, gallery)
    rendering((["ab", "", "cd"], 1))
    rendering.name_pictures("b.txt-", 4)
    rendering((["ab", "cd ef"], 4))
    names = {path.name.removesuffix("-heatmap.svg") for path in gallery.files if "heatmap" in path.name}
    assert names == {"line-000001", "line-000003", "b.txt-line-000001", "b.txt-line-000002"}


def test_a_little_input_is_translated_here_and_more_elsewhere(
    here: Rendering, pools: list[Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    with RenderingPool(here_plan(), here, enough=4) as pool:
        results = pool.translate(windows(3, 1, 2, 5))
        found = [next(results)]
        assert not pools
        # The processes start beside the window that fills what is translated here.
        found += [next(results)]
        assert [pool.given for pool in pools] == [[]]
        found += results
        assert [len(lines) for lines, _ in found] == [3, 1, 2, 5]
        assert [written.output == b"elsewhere" for _, written in found] == [False, False, True, True]
        assert [pool.processes for pool in pools] == [3]
        # The next stream goes to the same processes.
        assert [written.output for _, written in pool.translate(windows(1))] == [b"elsewhere"]
        assert len(pools) == 1
    assert pools[0].given[-1][1] == -1  # it was left


@pytest.mark.parametrize(
    ("threads", "given", "processes"), [(1, None, None), (64, None, MOST_PROCESSES), (64, 1, None)]
)
def test_how_many_processes(
    here: Rendering,
    pools: list[Elsewhere],
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    given: int | None,
    processes: int,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with RenderingPool(here_plan(), here, processes=given, enough=1) as pool:
        assert len(list(pool.translate(windows(1, 1, 1)))) == 3
    assert [pool.processes for pool in pools] == ([processes] if processes else [])


def test_a_number_that_is_given_holds_from_the_first_line(here: Rendering, pools: list[Elsewhere]) -> None:
    with RenderingPool(here_plan(), here, processes=2) as pool:
        assert [written.output for _, written in pool.translate(windows(1, 1))] == [b"elsewhere"] * 2
    assert list(itertools.chain(*(lines for lines, _ in pools[0].given))) == ["ab", "ab"]


def here_plan() -> Plan:
    return Plan(runs=(Path("nowhere"),), device="cpu")
