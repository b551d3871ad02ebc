"""Random and damaged bytes at every reader: each loads or is refused with one message, and none ends in a traceback."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_run import CHECKPOINT, sentences

import nmt
from nmt.alignment.links import read_links
from nmt.cli.translate import main as translate
from nmt.core import config
from nmt.core.characters import is_blank
from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.storage.files import read_text_lines
from nmt.core.storage.run_folder import MODEL, read_json
from nmt.data.corpus import CorpusConfig, read_pairs
from nmt.model.weights import read_tensors
from nmt.recipe import Recipe, load_recipe
from nmt.text.subword import SubwordModel

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
REFERENCE = (Path(__file__).parents[2] / "recipes" / "reference.yaml").read_bytes()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of a file of which something went wrong: cut off, flipped, a stretch missing, doubled or random."""
    kind = draw(st.sampled_from(["random", "cut", "flip", "missing", "doubled", "replaced"]))
    begin = draw(st.integers(0, len(content) - 1))
    if kind == "random":
        return draw(st.binary(max_size=200))
    if kind == "cut":
        return content[:begin]
    if kind == "flip":
        return content[:begin] + bytes([content[begin] ^ (1 << draw(st.integers(0, 7)))]) + content[begin + 1 :]
    end = min(len(content), begin + draw(st.integers(1, 50)))
    middle = {"missing": b"", "doubled": content[begin:end] * 2}.get(kind) or draw(st.binary(max_size=50))
    return content[:begin] + middle + content[end:]


def survives(read: Callable[[], object], error: type[NmtError] = NmtError) -> None:
    """Read; what is wrong may end in a message alone."""
    try:
        read()
    except error as message:
        assert str(message).strip()


@quick
@given(damaged(REFERENCE))
def test_recipes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    survives(lambda: load_recipe(path), ConfigError)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(st.data())
def test_recipes_with_anything_anywhere(data: st.DataObject) -> None:
    recipe = yaml.safe_load(REFERENCE)
    section = recipe
    while True:
        key = data.draw(st.sampled_from(sorted(section)))
        if not isinstance(section[key], dict) or not section[key] or data.draw(st.booleans()):
            break
        section = section[key]
    section[key] = data.draw(PLAIN)
    survives(lambda: config.from_mapping(Recipe, recipe, name="recipe"), ConfigError)
    survives(lambda: config.load(Recipe, yaml.safe_dump(recipe), name="recipe"), ConfigError)


@quick
@given(st.lists(st.text(max_size=30) | st.from_regex(r"(data|model|training)(\.[a-z_0-9]+){0,3}=.{0,9}"), max_size=3))
def test_overrides(overrides: list[str]) -> None:
    survives(lambda: config.load(Recipe, REFERENCE.decode(), name="recipe", overrides=overrides), ConfigError)


@pytest.fixture(scope="module")
def copy(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder to be damaged."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("damaged") / "run"))


@pytest.mark.parametrize(
    "name", ["recipe.yaml", "best.json", "vocabulary/joint.model", f"checkpoints/{CHECKPOINT}/{MODEL}"]
)
@quick
@given(data=st.data())
def test_runs(copy: Path, name: str, data: st.DataObject) -> None:
    path = copy / name
    content = path.read_bytes()
    try:
        path.write_bytes(data.draw(damaged(content)))
        survives(lambda: nmt.Bundle.load(copy, device="cpu"))
    finally:
        path.write_bytes(content)


@quick
@given(st.binary(max_size=300))
def test_random_bytes_for_weights_vocabularies_and_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for read in (read_tensors, read_json, SubwordModel.load):
        survives(lambda read=read: read(path))  # type: ignore[misc]


@quick
@given(
    st.binary(max_size=60) | st.text("0123456789-?:p \t\n\r", max_size=60).map(str.encode),
    st.sampled_from([0, 1]),
    st.booleans(),
)
def test_alignment_files(tmp_path: Path, content: bytes, first_index: int, known: bool) -> None:
    path = tmp_path / "links"
    path.write_bytes(content)
    lengths = [3] * (content.count(b"\n") + 1) if known else None
    survives(
        lambda: read_links(path, first_index=first_index, source_lengths=lengths, target_lengths=lengths),  # type: ignore[arg-type]
        DataError,
    )


TSV = b"source\ttarget\tmore\nder Hund\tthe dog\tx\n\tempty\ty\nein Haus\ta house\n"
JSON = b'{"source": "der Hund", "target": "the dog"}\n{"source": "ein", "target": {"a": [1, 2]}}\n'


@quick
@given(st.data())
def test_corpora(tmp_path: Path, data: st.DataObject) -> None:
    kind, content = data.draw(st.sampled_from([("tsv", TSV), ("json", JSON), ("text", TSV)]))
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(data.draw(damaged(content)))
    files = {"source": "one", "target": "two"} if kind == "text" else {"files": "one"}
    corpus = config.from_mapping(CorpusConfig, {"type": kind, **files}, name="corpus")
    survives(lambda: read_pairs(corpus, tmp_path, cache=tmp_path / "cache"), DataError)


@quick
@given(st.data())
def test_packed_text(tmp_path: Path, data: st.DataObject) -> None:
    import gzip

    path = tmp_path / "lines.gz"
    path.write_bytes(data.draw(damaged(gzip.compress(b"one\ntwo\n" * 20, mtime=0))))
    survives(lambda: list(read_text_lines(path)), DataError)


LINE = st.one_of(
    st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from(sentences(20)).map(str.encode),
    st.sampled_from([b"", b" ", b"\t", b"\0", b"\xe2\x80\xa8", b"\xc2\x85", b"a\rb", b"\r", b"\xff", b"\xef\xbb\xbf"]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINE, max_size=9), ended=st.booleans(), window=st.integers(1, 10), batch=st.sampled_from([1, 99]))
def test_as_many_lines_come_out_as_go_in_each_in_its_place(
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    ended: bool,
    window: int,
    batch: int,
) -> None:
    given = b"".join(line + b"\n" for line in lines)
    if not ended and lines and lines[-1]:
        given = given[:-1]
    output = tmp_path / "out"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    options = ["--errors", "replace", "--window", str(window), "--batch-tokens", str(batch), "--quiet"]
    search = ["--strategy", "greedy", "--max-length-ratio", "0", "--max-length-offset", "3"]
    with contextlib.redirect_stderr(io.StringIO()):
        assert translate([str(tiny_run), *options, *search, "--output", str(output)]) == 0
    written = output.read_bytes().decode().split("\n")
    assert written.pop() == ""
    assert len(written) == len(lines)
    texts = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
    assert [bool(line) for line in written] == [not is_blank(text) for text in texts]
    alone = nmt.Translator.load(
        tiny_run,
        search=nmt.SearchConfig(strategy="greedy", max_length_ratio=0.0, max_length_offset=3, min_length=2),
    )
    assert written == [alone.translate([text])[0].text for text in texts]
