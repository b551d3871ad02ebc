"""One model behind a queue: everybody gets what the translator alone would give, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import SEARCH, sentences

from nmt.core.errors import CheckpointError, DataError
from nmt.serving.engine import Busy, Engine, Expired, Stopped
from nmt.serving.queue import SHARE
from nmt.translation.lines import Translation
from nmt.translation.requests.request import Request
from nmt.translation.translator import Translator

T = TypeVar("T")

GREEDY = replace(SEARCH, strategy="greedy")
SEARCHES = (None, GREEDY, replace(SEARCH, n_best=3), replace(SEARCH, strategy="sampling", n_best=2, seed=5))
LONG = " ".join(sentences(30))
LINES = ["", *sentences(14), LONG]


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return Translator.load(tiny_run, max_pieces=60)


class Slow:
    """A translator that begins a batch only when it may, and remembers the batches."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self.begun, self.may = threading.Semaphore(0), threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.error: Callable[[list[str]], BaseException | None] = lambda texts: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._translator, name)

    def translate_numbered(self, lines: Sequence[Request], numbers: Sequence[int]) -> list[Translation]:
        self.batches.append([line.text for line in lines])
        self.begun.release()
        self.may.acquire()
        if error := self.error(self.batches[-1]):
            raise error
        return self._translator.translate_numbered(lines, numbers)


@pytest.fixture
def slow(translator: Translator) -> Any:
    return Slow(translator)


def served(translator: Any, work: Callable[[Engine], Coroutine[Any, Any, T]], **settings: Any) -> T:
    """Run clients of an engine, and stop it, after which nothing may wait."""

    async def run() -> T:
        engine = Engine(translator, **settings)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()
            assert engine.lines == len(engine._queue) == engine._busy == 0

    return asyncio.run(run())


async def until(wanted: Callable[[], bool]) -> None:
    """Let the others go on until something is so."""
    while not wanted():
        await asyncio.sleep(0)


async def taken(slow: Slow) -> None:
    """Wait until a batch has begun."""
    await asyncio.to_thread(slow.begun.acquire)


def same(found: Translation, wanted: Translation) -> bool:
    texts = [[target.text for target in each.hypotheses] for each in (found, wanted)]
    return (
        found.source == wanted.source
        and texts[0] == texts[1]
        and found.problem == wanted.problem
        and found.parts == wanted.parts
        and (found.tree is None) == (wanted.tree is None)
        and found.score == pytest.approx(wanted.score, abs=1e-4)
    )


requests = st.builds(
    Request,
    st.sampled_from(LINES),
    prefix=st.sampled_from(["", "", "ab", "☃"]),
    avoid=st.sampled_from([(), (), ("ab",)]),
    search=st.sampled_from(SEARCHES),
    tree=st.booleans(),
)
calls = st.tuples(
    st.lists(requests, max_size=4),
    st.sampled_from(["stay", "stay", "leave at once", "leave later", "stream"]),
    st.integers(0, 6),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(calls, max_size=12), st.sampled_from([0.0, 0.004]), st.integers(1, 3))
def test_whatever_comes_and_goes_each_gets_what_it_would_get_alone(
    translator: Translator, plan: list[tuple[list[Request], str, int]], patience: float, workers: int
) -> None:
    async def client(engine: Engine, lines: list[Request], manner: str, pause: int) -> None:
        for _ in range(pause):
            await asyncio.sleep(0)
        if manner == "stream":
            for line in lines:
                (wanted,) = translator.translate([replace(line, search=GREEDY, tree=False)])
                assert await streamed(engine, line) == (wanted.problem or wanted.text)
            return
        task = asyncio.create_task(engine.translate(lines))
        if manner == "stay":
            wanted_all = translator.translate(lines)
            assert all(same(*pair) for pair in zip(await task, wanted_all, strict=True))
            return
        for _ in range(0 if manner == "leave at once" else 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def streamed(engine: Engine, line: Request) -> str:
        try:
            return "".join([delta async for delta in engine.stream(line)])
        except DataError as error:
            return str(error)

    async def everybody(engine: Engine) -> None:
        await asyncio.gather(*(client(engine, *each) for each in plan))

    served(translator, everybody, patience=patience, workers=workers)


def test_lines_that_wait_are_translated_together_but_not_short_ones_with_long_ones(slow: Slow) -> None:
    short, long = ["ab cd", "cd", "ab"], [" ".join(["abc de"] * 12)] * 2

    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.translate([Request("a b")]))
        await taken(slow)
        others = [asyncio.create_task(engine.translate([Request(text)])) for text in (short[0], *long, *short[1:])]
        greedy = asyncio.create_task(engine.translate([Request("ab", search=GREEDY)]))
        await until(lambda: engine.lines == 7)
        slow.may.release(4)
        await asyncio.gather(first, *others, greedy)

    served(slow, work)
    assert slow.batches == [["a b"], short, long, ["ab"]]


def test_a_long_call_leaves_room_for_others(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        lines = [Request(line) for line in sentences(100, longest=3)]
        many = asyncio.create_task(engine.translate(lines))
        await taken(slow)
        one = asyncio.create_task(engine.translate([Request("ab")]))
        await until(lambda: engine.lines == 101)
        slow.may.release(101)
        await asyncio.gather(one, many)

    slow._translator = Translator(slow.bundles, batch_tokens=60)
    served(slow, work)
    order = [text for batch in slow.batches for text in batch]
    assert len(order) == 101
    assert order.index("ab") <= 2 * SHARE + 5


def test_one_client_alone_does_not_wait_for_others(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.serving.engine._PAUSE", 1e9)

    async def turns(engine: Engine, count: int) -> None:
        for line in sentences(count, seed=1):
            await engine.translate([Request(line)])

    async def alone(engine: Engine) -> float:
        began = asyncio.get_running_loop().time()
        await turns(engine, 4)
        return asyncio.get_running_loop().time() - began

    assert served(translator, alone, patience=1000.0) < 1000


def test_several_clients_that_ask_in_turns_wait_for_each_other(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.serving.engine._PAUSE", 1e9)

    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.translate([Request("ab")]))
        await taken(slow)
        second = asyncio.create_task(engine.translate([Request("cd")]))
        await until(lambda: engine.lines == 2)
        slow.may.release()
        await first
        again = asyncio.create_task(engine.translate([Request("ef")]))
        await taken(slow)
        slow.may.release()
        await asyncio.gather(second, again)

    served(slow, work, patience=1000.0)
    assert slow.batches == [["ab"], ["cd", "ef"]]


def test_idle_workers_share_the_lines_that_wait(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        tasks = [asyncio.create_task(engine.translate([Request(text)])) for text in ("ab", "cd", "de", "ef")]
        await taken(slow)
        await taken(slow)
        slow.may.release(4)
        await asyncio.gather(*tasks)

    served(slow, work, workers=2)
    assert sorted(map(len, slow.batches)) == [2, 2]


def test_workers_that_compute_share_the_threads(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)

    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.translate([Request("ab")]))
        await taken(slow)
        second = asyncio.create_task(engine.translate([Request("cd")]))
        await taken(slow)
        slow.may.release(2)
        await asyncio.gather(first, second)

    served(slow, work, workers=2, threads=6)
    assert counts[:2] == [6, 3]


def test_who_leaves_takes_his_lines_out_of_the_queue(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.translate([Request("ab")]))
        await taken(slow)
        leaving = asyncio.create_task(engine.translate([Request("cd"), Request("de")]))
        staying = asyncio.create_task(engine.translate([Request("ef")]))
        await until(lambda: engine.lines == 4)
        leaving.cancel()
        await until(leaving.done)
        assert (engine.lines, len(engine._queue)) == (2, 1)
        slow.may.release(2)
        await asyncio.gather(first, staying)

    served(slow, work)
    assert slow.batches == [["ab"], ["ef"]]


def test_a_full_queue_says_when_to_come_again(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        tasks = [asyncio.create_task(engine.translate([Request("ab")] * 2))]
        await taken(slow)
        tasks.append(asyncio.create_task(engine.translate([Request("cd")])))
        await until(lambda: engine.lines == 3)
        with pytest.raises(Busy, match="too much to do; try again in 1 seconds") as caught:
            await engine.translate([Request("ef")])
        assert caught.value.retry_after == 1
        with pytest.raises(Busy):
            await anext(aiter(engine.stream(Request("ef"))))
        with pytest.raises(DataError, match="at most 3 lines are translated at once, but there are 4"):
            await engine.translate([Request("ef")] * 4)
        slow.may.release(9)
        await asyncio.gather(*tasks)
        assert await engine.translate([]) == []
        assert len(await engine.translate([Request("ef")] * 3)) == 3

    served(slow, work, queue_lines=3)


def test_what_hangs_expires_and_the_engine_still_answers_and_stops(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        async def stream() -> None:
            async for _ in engine.stream(Request("ab")):
                pass

        results = await asyncio.gather(
            *(engine.translate([Request(text)]) for text in ("ab", "cd")), stream(), return_exceptions=True
        )
        assert [type(each) for each in results] == [Expired] * 3
        assert str(results[0]) == "the translation was not done within 0.05 seconds"
        assert engine.lines == 0

    served(slow, work, timeout=0.05)
    slow.may.release(9)


def test_a_line_that_cannot_be_translated_fails_alone(slow: Slow) -> None:
    slow.error = lambda texts: RuntimeError("poison") if "de" in texts else None
    slow.may.release(100)

    async def work(engine: Engine) -> None:
        texts = ["ab", "cd", "de", "ef", "fg", "gh"]
        tasks = [engine.translate([Request(text)]) for text in texts]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, RuntimeError) for each in results] == [text == "de" for text in texts]
        assert len(await engine.translate([Request("de f")])) == 1

    served(slow, work)


def test_a_damaged_model_is_told_to_everybody(slow: Slow) -> None:
    slow.error = lambda texts: CheckpointError("the model gives NaN")
    slow.may.release(100)

    async def work(engine: Engine) -> None:
        asked: list[Awaitable[object]] = [engine.translate([Request("ab")] * count) for count in (1, 3)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in results] == [CheckpointError] * 2

    served(slow, work)


def test_a_lack_of_memory_halves_the_batch(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    searching, sizes = translator._search._search, []

    def starving(batch: list[Any]) -> list[Any]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return searching(batch)

    lines = [Request(line) for line in sentences(8, longest=3)]
    wanted = translator.translate(lines)
    monkeypatch.setattr(translator._search, "_search", starving)

    async def work(engine: Engine) -> None:
        found = await engine.translate(lines)
        assert all(same(*pair) for pair in zip(found, wanted, strict=True))

    served(translator, work)
    assert max(sizes) > 2


def test_stopping_finishes_what_was_taken_and_refuses_more(slow: Slow) -> None:
    async def work(engine: Engine) -> None:
        tasks = [asyncio.create_task(engine.translate([Request("ab")]))]
        await taken(slow)
        tasks.append(asyncio.create_task(engine.translate([Request("cd")])))
        await until(lambda: engine.lines == 2)
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0)
        with pytest.raises(Stopped, match="ending"):
            await engine.translate([Request("ef")])
        assert not stopping.done()
        slow.may.release(2)
        assert [each.source.text for (each,) in await asyncio.gather(*tasks)] == ["ab", "cd"]
        await stopping
        await engine.start()  # and goes on, if asked to
        slow.may.release()
        assert len(await engine.translate([Request("ef")])) == 1

    served(slow, work)


def test_what_was_not_started_refuses(translator: Translator) -> None:
    with pytest.raises(Stopped):
        asyncio.run(Engine(translator).translate([Request("ab")]))


def test_a_stream_comes_in_many_pieces_beside_others_and_stops_when_its_client_goes(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.serving.callers.SLICE", 0.0)
    line = random.Random(1).choice([line for line in sentences(9, longest=9) if len(line) > 30])

    async def work(engine: Engine) -> None:
        deltas = [delta async for delta in engine.stream(Request(line))]
        assert len(deltas) > 3
        left = engine.stream(Request(line))
        await anext(left)
        assert len(await engine.translate([Request("ab")])) == 1, "between two slices"
        assert engine.lines == 1
        await left.aclose()  # type: ignore[attr-defined]
        assert engine.lines == 0

    served(translator, work)


def test_a_stream_that_fails_goes_on_as_other_lines_do(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Request(max(sentences(9), key=len))
    (wanted,) = translator.translate([replace(line, search=GREEDY)])
    growing = translator._search.grow

    def breaking(batch: list[Any]) -> Any:
        steps = growing(batch)
        yield next(steps)
        yield next(steps)
        raise MemoryError

    monkeypatch.setattr(translator._search, "grow", breaking)

    async def work(engine: Engine) -> str:
        return "".join([delta async for delta in engine.stream(line)])

    assert served(translator, work) == wanted.text != ""


def test_a_stream_is_greedy_where_the_recipe_chooses_by_minimum_bayes_risk(translator: Translator) -> None:
    line = Request(max(sentences(9), key=len))
    (wanted,) = translator.translate([replace(line, search=GREEDY)])

    async def work(engine: Engine) -> str:
        usual = replace(line, search=replace(SEARCH, n_best=2, mbr="chrf"))
        return "".join([delta async for delta in engine.stream(usual)])

    assert served(translator, work) == wanted.text != ""
