"""What ``--import`` names is found, imported once, and its errors are told with file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nmt.core.errors import ConfigError, DataError
from nmt.core.own_parts import import_own, own_errors_told, own_versions


@pytest.fixture(autouse=True)
def modules_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Work in a folder of its own, and forget what was imported from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(given: str) -> str:
    with pytest.raises(ConfigError) as caught:
        import_own(given)
    assert caught.value.exit_status == 2
    return str(caught.value)


@pytest.mark.parametrize("given", ["own_thing.py", "./own_thing.py", "{folder}/own_thing.py", "own_thing"])
def test_a_file_is_imported_once_however_it_is_named(given: str, tmp_path: Path) -> None:
    Path("own_thing.py").write_text("import sys\nsys.modules['own_count'] = sys.modules.get('own_count', 0) + 1\n")
    for name in (given.format(folder=tmp_path), "own_thing.py", "own_thing"):
        import_own(name)
    assert sys.modules.pop("own_count") == 1
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_a_file_finds_those_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "own_first.py").write_text("import own_second\n")
    (folder / "own_second.py").write_text("value = 7\n")
    import_own("elsewhere/own_first.py")
    assert sys.modules["own_second"].value == 7


@pytest.mark.parametrize("given", ["lib/own_package", "lib/own_package/", "lib/own_package/__init__.py"])
def test_a_package_is_imported_as_one(given: str) -> None:
    package = Path("lib/own_package")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from own_package.inner import value\n")
    (package / "inner.py").write_text("value = 7\n")
    import_own(given)
    assert sys.modules["own_package"].value == 7


def test_a_file_behind_a_link_is_the_file(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "own_linked.py").write_text("")
    (tmp_path / "link").symlink_to(real)
    sys.path.append(str(tmp_path / "link"))
    import_own("link/own_linked.py")
    assert "own_linked" in sys.modules


def test_what_is_not_there_is_told() -> None:
    Path("own_parts_of_mine.py").write_text("")
    Path("folder").mkdir()
    Path("own.dotted.py").write_text("")
    assert refused("own_part_of_mine.py").endswith("there is no such file; did you mean own_parts_of_mine.py?")
    assert refused("none/own.py").startswith("none/own.py: there is no such file; the folder none does not exist")
    assert "no_such_module: there is no such module" in refused("no_such_module")
    assert "No module named 'no_such'" in refused("no_such.module")
    assert refused("folder/").endswith("must be a Python file, a package or the name of a module, but is a folder")
    assert "must have a name without dots" in refused("own.dotted.py")


def test_a_file_called_like_another_module_is_refused() -> None:
    Path("random.py").write_text("raise RuntimeError\n")
    message = refused("random.py")
    assert message.startswith("random.py: must have another name: Python knows 'random' as ")
    assert message.endswith("random.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nx = unknown\n", "own_wrong.py: line 2: NameError: name 'unknown' is not defined\n    x = unknown"),
        ("def f(:\n", "own_wrong.py: line 1: SyntaxError: invalid syntax\n    def f(:"),
        (
            "import no_such\n",
            "own_wrong.py: line 1: ModuleNotFoundError: No module named 'no_such'\n    import no_such",
        ),
        ("\n\nraise SystemExit(3)\n", "own_wrong.py: line 3: SystemExit: 3\n    raise SystemExit(3)"),
        (
            "from nmt.model.attention.base import ScoreConfig\n\nScoreConfig.registry.register('dot')(object)\n",
            "own_wrong.py: line 3: ValueError: attention score 'dot' is registered twice\n"
            "    ScoreConfig.registry.register('dot')(object)",
        ),
        (
            "from nmt.model.attention.base import ScoreConfig\n\nScoreConfig.registry.register('own')(object)\n",
            "own_wrong.py: line 3: ValueError: attention score 'own': object must inherit from the class whose "
            "registry this is\n    ScoreConfig.registry.register('own')(object)",
        ),
        (
            "def deep():\n    raise DataError('no corpus')\nfrom nmt.core.errors import DataError\ndeep()\n",
            "own_wrong.py: line 2: no corpus\n    raise DataError('no corpus')",
        ),
    ],
)
def test_an_error_in_a_file_is_told_with_its_line(text: str, told: str) -> None:
    Path("own_wrong.py").write_text(text)
    assert refused("own_wrong.py") == told
    assert "own_wrong" not in sys.modules


RUNNING = """
import json

def read(text):
    return json.loads(text)

def end(kind):
    raise kind("as it is")
"""


def test_an_error_while_a_part_runs_is_told_with_its_line(tmp_path: Path) -> None:
    Path("own_running.py").write_text(RUNNING)
    import_own("own_running.py")
    own = sys.modules["own_running"]
    with pytest.raises(ConfigError) as caught, own_errors_told():
        own.read("{")
    first, *others = str(caught.value).split("\n")
    assert first.startswith(f"{tmp_path / 'own_running.py'}: line 5: JSONDecodeError: Expecting property name")
    assert others == ["    return json.loads(text)", "    (--verbose shows the traceback)"]
    for kind in (DataError, MemoryError, FileNotFoundError, KeyboardInterrupt):
        with pytest.raises(kind, match=r"^as it is$"), own_errors_told():
            own.end(kind)


def test_an_error_outside_of_own_parts_stays_as_it_is() -> None:
    Path("own_idle.py").write_text("")
    import_own("own_idle.py")
    with pytest.raises(ZeroDivisionError), own_errors_told():
        _ = 1 / 0


def test_a_file_next_to_the_package_is_not_taken_for_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.core.own_parts.__file__", str(Path("nmt/core/own_parts.py").resolve()))
    Path("nmt_wrong_parts.py").write_text("\n1 / 0\n")
    assert refused("nmt_wrong_parts.py").startswith("nmt_wrong_parts.py: line 2: ZeroDivisionError")


def test_an_error_in_a_file_beside_it_is_told_with_that_file(tmp_path: Path) -> None:
    Path("own_outer.py").write_text("import own_inner\n")
    for text, told in (
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("(\n", "SyntaxError: '(' was never closed"),
    ):
        Path("own_inner.py").write_text(f"\n{text}")
        assert refused("own_outer.py").startswith(f"{tmp_path / 'own_inner.py'}: line 2: {told}")


def test_an_interruption_is_not_taken_for_an_error() -> None:
    Path("own_slow.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        import_own("own_slow.py")


def test_files_that_are_not_of_this_package_are_named_with_their_checksums() -> None:
    from my_parts import ConvolutionConfig, CosineConfig

    from nmt.model.attention.soft import SoftConfig
    from nmt.model.seq2seq import Seq2SeqConfig

    assert own_versions(Seq2SeqConfig()) == {}
    for config in (Seq2SeqConfig(encoder=ConvolutionConfig()), (SoftConfig(score=CosineConfig()),)):
        ((module, checksum),) = own_versions(config).items()
        assert module == "my_parts" and len(checksum) == len("sha256 ") + 16


def test_a_file_that_was_deleted_has_no_checksum() -> None:
    from nmt.model.attention.base import ScoreConfig

    file = Path("own_deleted.py")
    file.write_text("from nmt.model.attention.scores import DotConfig\nclass Own(DotConfig): pass\n")
    import_own("own_deleted.py")
    config = sys.modules["own_deleted"].Own()
    assert isinstance(config, ScoreConfig) and own_versions(config)["own_deleted"].startswith("sha256 ")
    file.unlink()
    assert own_versions(config) == {"own_deleted": "unknown (No such file or directory)"}
