"""The house keeps its floors: imports only go down, no cycles, no code that could run what a user wrote.

The checker reads the syntax tree of every module, so imports inside functions and under TYPE_CHECKING count too. Each
of its rules is shown to bite on a small tree with the violation planted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2] / "nmt"

# Room (first name below nmt): its floor.
FLOORS = {
    "core": 0,
    "text": 1,
    "metrics": 1,
    "alignment": 1,
    "data": 2,
    "search": 3,
    "model": 3,
    "training": 4,
    "translation": 4,
    "warm_start": 5,
    "recipe": 5,
    "preflight": 5,
    "assembly": 5,
    "dry_run": 5,
    "experiment": 5,
    "defaults": 5,
    "plain_text": 5,
    "serving": 6,
    "cli": 7,
}
WHOLE_HOUSE = {
    "warm_start",
    "recipe",
    "preflight",
    "assembly",
    "dry_run",
    "experiment",
    "defaults",
    "plain_text",
}
BATCH_TYPES_ONLY = {"search", "model"}  # they take from data only nmt.data.batch
WITHOUT_TORCH = {"text", "metrics", "alignment"}
OUTSIDE = {"tools", "recipes", "tests"}
FORBIDDEN_NAMES = {"utils.py", "misc.py", "helpers.py", "helper.py", "common.py"}
FORBIDDEN_MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
# Who may import by a name that is not in the source, and what.
IMPORTS_BY_NAME = {
    "nmt": "the public names, on first use",
    "nmt.core.own_parts": "what a user names by --import, and nothing that a run or a model file says",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "__import__",
    "importlib.import_module",
    "importlib.util.spec_from_file_location",
    "runpy.run_path",
    "runpy.run_module",
    "torch.load",
    "torch.save",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "os.system",
}


@dataclass(frozen=True)
class Import:
    """One imported module of any package; ``name`` is what was taken from it, if anything."""

    module: str
    name: str | None
    line: int


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        return [*self.name.split("."), ""][1]


def read_house(house: Path) -> dict[str, Module]:
    paths = {}
    for path in sorted(house.rglob("*.py")):
        parts = [house.name, *path.relative_to(house).with_suffix("").parts]
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        modules[name] = Module(name, path, tree, tuple(imports_of(tree, package, set(paths))))
    return modules


def imports_of(tree: ast.Module, package: str, known: set[str]) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                ancestors = package.split(".")
                base = ".".join([*ancestors[: len(ancestors) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield (
                    Import(submodule, None, node.lineno)
                    if submodule in known
                    else Import(base, alias.name, node.lineno)
                )


def floor_violations(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.name == "nmt":
            continue  # the front door: imports lazily from anywhere
        if module.room not in FLOORS:
            yield f"{module.name}: has no floor"
            continue
        for imported in module.imports:
            reason = why_not(module.room, imported)
            if reason is not None:
                yield f"{module.name}:{imported.line}: imports {imported.module}: {reason}"


def why_not(room: str, imported: Import) -> str | None:
    """Return why a room may not import a module, or None if it may."""
    top, _, rest = imported.module.partition(".")
    if top in OUTSIDE:
        return "outside the package"
    if top == "torch" and room in WITHOUT_TORCH:
        return "this room lives without torch"
    if top != "nmt":
        return None
    target = rest.partition(".")[0]
    if not target:
        return None if imported.name == "__version__" else "name the room, not the front door"
    if target not in FLOORS:
        return "has no floor"
    if target == room or {target, room} <= WHOLE_HOUSE:
        return None
    if FLOORS[target] > FLOORS[room]:
        return "upwards"
    if FLOORS[target] == FLOORS[room]:
        return "a stranger on the same floor"
    if target == "data" and room in BATCH_TYPES_ONLY and imported.module != "nmt.data.batch":
        return "only nmt.data.batch"
    return None


def cycles(modules: dict[str, Module]) -> Iterator[str]:
    """Name each cycle once, by depth-first search (the front door's lazy imports left out)."""
    graph = {
        name: sorted({item.module for item in module.imports if item.module in modules and item.module != "nmt"})
        for name, module in modules.items()
        if name != "nmt"
    }
    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> Iterator[str]:
        if name in trail:
            yield " -> ".join([*trail[trail.index(name) :], name])
            return
        if name in finished:
            return
        for following in graph[name]:
            yield from visit(following, [*trail, name])
        finished.add(name)

    for name in graph:
        yield from visit(name, [])


def implementations_in_init(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.path.name != "__init__.py":
            continue
        for position, node in enumerate(module.tree.body):
            if not allowed_in_init(node, position, front_door=module.name == "nmt"):
                yield f"{module.name}:{node.lineno}: implementation in __init__.py"


def allowed_in_init(node: ast.stmt, position: int, *, front_door: bool) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return position == 0 and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        # The front door keeps a table of what it offers lazily.
        return names <= {"__all__", "__version__"} or (front_door and all(name.startswith("_") for name in names))
    if not front_door:
        return False
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__dir__")


def dangerous_uses(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        aliases: dict[str, str] = {}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                aliases.update({alias.asname: alias.name for alias in node.names if alias.asname})
            elif isinstance(node, ast.ImportFrom):
                aliases.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        for imported in module.imports:
            if imported.module.partition(".")[0] in FORBIDDEN_MODULES:
                yield f"{module.name}:{imported.line}: uses {imported.module}"
        for node in ast.walk(module.tree):
            # Any mention counts, not only a call: `loader = torch.load` is as dangerous.
            if isinstance(node, ast.Name | ast.Attribute):
                used = dotted(node, aliases)
                allowed = used == "importlib.import_module" and module.name in IMPORTS_BY_NAME
                if used in FORBIDDEN_CALLS and not allowed:
                    yield f"{module.name}:{node.lineno}: uses {used}"
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                yield f"{module.name}:{node.value.lineno}: uses allow_pickle"


def dotted(node: ast.expr, aliases: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, aliases)
        return f"{base}.{node.attr}" if base is not None else None
    return None


def misnamed(house: Path) -> Iterator[str]:
    for path in sorted(house.rglob("*.py")):
        names = {path.name, *(f"{part}.py" for part in path.relative_to(house).parts[:-1])}
        if names & FORBIDDEN_NAMES:
            yield str(path.relative_to(house))


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_house(HOUSE)


def test_the_house_was_read(modules: dict[str, Module]) -> None:
    assert {"nmt", "nmt.core.errors", "nmt.data.batch", "nmt.search.stepper"} <= set(modules)
    assert any(item.module == "nmt.data.batch" for item in modules["nmt.search.stepper"].imports)


def test_imports_only_go_down(modules: dict[str, Module]) -> None:
    assert list(floor_violations(modules)) == []


def test_no_import_cycles(modules: dict[str, Module]) -> None:
    assert list(cycles(modules)) == []


def test_no_implementation_in_init(modules: dict[str, Module]) -> None:
    assert list(implementations_in_init(modules)) == []


def test_no_file_is_run_but_what_a_user_names(modules: dict[str, Module]) -> None:
    assert list(dangerous_uses(modules)) == []


def test_no_drawer_for_odds_and_ends() -> None:
    assert list(misnamed(HOUSE)) == []


def plant(root: Path, files: dict[str, str]) -> dict[str, Module]:
    house = root / "nmt"
    for name, text in files.items():
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for folder in path.parents:
            if folder == root:
                break
            (folder / "__init__.py").touch()
    return read_house(house)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "import nmt.text.subword"),
        ("core/a.py", "def f():\n    from nmt.text.subword import x"),
        ("core/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nmt.data.batch import Batch"),
        ("core/a.py", "from ..text import subword"),
        ("core/a.py", "from .. import text"),
        ("core/a.py", "from nmt import text"),
        ("core/a.py", "from nmt import Translator"),
        ("core/a.py", "import nmt"),
        ("core/a.py", "from nmt.text import *"),
        ("core/a.py", "import tools.generate"),
        ("core/a.py", "from recipes import x"),
        ("text/a.py", "from nmt.metrics.bleu import x"),
        ("text/a.py", "import torch"),
        ("alignment/a.py", "from torch.nn import functional"),
        ("alignment/a.py", "from nmt.text.subword import x"),
        ("data/a.py", "from nmt.search.stepper import Stepper"),
        ("model/a.py", "from nmt.search.stepper import Stepper"),
        ("search/a.py", "from nmt.model.memory import x"),
        ("search/a.py", "from nmt.data.loader import x"),
        ("model/a.py", "from nmt.data import loader"),
        ("training/a.py", "from nmt.translation.model_files.bundle import x"),
        ("translation/a.py", "from nmt.training.trainer import x"),
        ("training/a.py", "from nmt.recipe import Recipe"),
        ("recipe.py", "from nmt.cli.run import run"),
        ("attic/a.py", ""),
        ("attic.py", ""),
        ("cli/a.py", "from nmt.attic import x"),
    ],
)
def test_floor_check_bites(tmp_path: Path, name: str, text: str) -> None:
    modules = plant(tmp_path, {name: text, "text/subword.py": "", "data/loader.py": "", "data/batch.py": ""})
    assert list(floor_violations(modules))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("text/a.py", "from nmt.core.errors import x\nfrom . import subword\nfrom .subword import y"),
        ("model/a.py", "from nmt.data.batch import Batch\nfrom nmt.data import batch\nimport torch"),
        (
            "training/a.py",
            "from nmt.search.strategies.beam import x\nfrom nmt.data.loader import y\nfrom nmt import __version__",
        ),
        ("experiment.py", "from nmt.recipe import x\nfrom nmt.training.trainer import y"),
        ("cli/a.py", "from nmt.experiment import x\nfrom nmt.core.errors import y"),
        ("__init__.py", "from nmt.translation.translator import Translator"),
    ],
)
def test_floor_check_lets_pass(tmp_path: Path, name: str, text: str) -> None:
    modules = plant(tmp_path, {name: text, "text/subword.py": "", "data/loader.py": "", "data/batch.py": ""})
    assert list(floor_violations(modules)) == []


def test_cycle_check_bites(tmp_path: Path) -> None:
    files = {
        "core/a.py": "from nmt.core.b import x",
        "core/b.py": "def f():\n    from nmt.core import c",
        "core/c.py": "from .a import y",
        "core/d.py": "from nmt.core import a",
    }
    assert list(cycles(plant(tmp_path, files))) == ["nmt.core.a -> nmt.core.b -> nmt.core.c -> nmt.core.a"]
    modules = plant(tmp_path, {"core/c.py": ""})
    assert list(cycles(modules)) == []
    # A package that gathers its modules, and a module that takes from the package: a cycle as well.
    modules = plant(tmp_path, {"model/attention/__init__.py": "from .dot import x", "model/attention/dot.py": ""})
    assert list(cycles(modules)) == []
    modules = plant(tmp_path, {"model/attention/dot.py": "from nmt.model.attention import y"})
    assert list(cycles(modules))


@pytest.mark.parametrize(
    "text",
    ["x = 1", "def f(): ...", "class A: ...", "print('hello')", "for x in (): pass", "def __getattr__(name): ..."],
)
def test_init_check_bites(tmp_path: Path, text: str) -> None:
    modules = plant(tmp_path, {"core/a.py": "", "core/__init__.py": f'"""Room."""\n{text}\n'})
    assert len(list(implementations_in_init(modules))) == 1


def test_init_check_lets_pass(tmp_path: Path) -> None:
    lazy = '"""Door."""\n__version__ = "1"\n__all__ = ["x"]\n_OFFERS = {}\ndef __getattr__(name):\n    return 1\n'
    files = {"core/__init__.py": '"""Room."""\nfrom nmt.core.a import x\n__all__ = ["x"]\n', "__init__.py": lazy}
    assert list(implementations_in_init(plant(tmp_path, files))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import torch\ntorch.load('x')",
        "import torch as t\nt.load('x')",
        "from torch import load as read\nread('x')",
        "import torch\nreader = torch.load",
        "import yaml\nyaml.load('x', yaml.Loader)",
        "from yaml import load\nload('x')",
        "import yaml\nyaml.unsafe_load('x')",
        "eval('1')",
        "import importlib\nimportlib.import_module('x')",
        "from runpy import run_path\nrun_path('x')",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
    ],
)
def test_danger_check_bites(tmp_path: Path, text: str) -> None:
    assert list(dangerous_uses(plant(tmp_path, {"core/a.py": text})))


def test_only_one_module_may_import_what_a_user_names(tmp_path: Path) -> None:
    text = "import importlib\nimportlib.import_module('x')"
    files = {"core/own_parts.py": text, "core/loading.py": text}
    assert [use.split(":")[0] for use in dangerous_uses(plant(tmp_path, files))] == ["nmt.core.loading"]


def test_danger_check_lets_pass(tmp_path: Path) -> None:
    text = "import yaml\nyaml.compose('x')\nmodel.eval()\nconfig.load('x')\nnumpy.load('x', allow_pickle=False)"
    assert list(dangerous_uses(plant(tmp_path, {"core/a.py": text}))) == []


@pytest.mark.parametrize("name", ["core/utils.py", "utils/a.py", "model/helpers.py"])
def test_name_check_bites(tmp_path: Path, name: str) -> None:
    plant(tmp_path, {name: ""})
    assert list(misnamed(tmp_path / "nmt"))
