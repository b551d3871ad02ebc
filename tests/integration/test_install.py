"""The package as it is installed: a wheel, in an environment that knows nothing of this checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

import nmt

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

if importlib.util.find_spec("build") is None:
    pytest.skip('needs the package build: pip install ".[dev]"', allow_module_level=True)

pytestmark = pytest.mark.slow


def run(command: Sequence[str | Path], where: Path) -> str:
    """Run a command outside of the checkout, without what makes Python find it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(command, cwd=where, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment in which the wheel is installed; its dependencies are those of this one."""
    root = tmp_path_factory.mktemp("install")
    source = root / "source"
    shutil.copytree(REPOSITORY / "nmt", source / "nmt", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    # Without isolation nothing is downloaded: the build uses setuptools as it is installed here.
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", root, source], root)
    (wheel,) = root.glob("*.whl")
    run([sys.executable, "-m", "venv", "--without-pip", root / "empty"], root)
    paths = sysconfig.get_paths(vars={"base": str(root / "empty"), "platbase": str(root / "empty")}, scheme="venv")
    pip = [sys.executable, "-m", "pip", "--python", str(Path(paths["scripts"]) / "python"), "install"]
    run([*pip, "--quiet", "--no-index", "--no-deps", wheel], root)
    # A folder on the path, whose own .pth files (such as that of this checkout) are not read.
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return Path(paths["scripts"])


def test_every_command_starts(scripts: Path, tmp_path: Path) -> None:
    assert len(PROJECT["scripts"]) >= 7
    for command in PROJECT["scripts"]:
        assert f"usage: {command}" in run([scripts / command, "--help"], tmp_path), command
    assert run([scripts / "nmt-translate", "--version"], tmp_path) == f"nmt-translate {nmt.__version__}\n"


def test_all_files_of_the_package_are_installed(scripts: Path, tmp_path: Path) -> None:
    code = (
        "import json, nmt, importlib.metadata as m; from pathlib import Path; p = Path(nmt.__file__).parent; "
        "files = [str(f.relative_to(p)) for f in p.rglob('*') if f.is_file()]; "
        "print(json.dumps([str(p), m.version('nmt'), files]))"
    )
    place, version, files = json.loads(run([scripts / "python", "-c", code], tmp_path))
    assert Path(place).is_relative_to(scripts.parent) and version == nmt.__version__ == PROJECT["version"]
    here = {str(path.relative_to(REPOSITORY / "nmt")) for path in (REPOSITORY / "nmt").rglob("*") if path.is_file()}
    installed = {each for each in files if "__pycache__" not in each}
    assert installed == {each for each in here if "__pycache__" not in each}
    assert "py.typed" in installed and any(each.endswith(".js") for each in installed)
