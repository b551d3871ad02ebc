"""The table at the door of the fast paths names every file, and a test of each."""

from __future__ import annotations

import re
from pathlib import Path

from nmt.model import fast

ROOM, TESTS = Path(fast.__file__).parent, Path(__file__).parents[1]


def test_every_file_stands_in_the_table_with_a_test_that_reads_it() -> None:
    rows = re.findall(r"^\| `(\w+)` .*\| `(\w+)` +\|", str(fast.__doc__), flags=re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(
        path.stem for path in ROOM.glob("*.py") if path.stem != "__init__"
    )
    for name, test in rows:
        (path,) = TESTS.rglob(f"{test}.py")
        text = path.read_text(encoding="utf-8")
        users = [other.stem for other in ROOM.glob("*.py") if f"nmt.model.fast.{name} import" in other.read_text()]
        assert any(re.search(rf"\b{each}\b", text) for each in (name, *users)), f"{test} does not read {name}"
