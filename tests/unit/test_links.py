"""Links of the documents: what they lead to is there, and every document is reached from the index."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "recipes", ROOT / "tools")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)
_BLOCK, _CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE), re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")


def prose(document: Path) -> str:
    return _BLOCK.sub("", document.read_text(encoding="utf-8"))


def links(document: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", prose(document)))


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    titles = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def broken(document: Path, root: Path = ROOT) -> list[str]:
    found = []
    for link in links(document):
        parts = urlsplit(link)
        if parts.scheme:
            if parts.scheme != "https" or "." not in parts.netloc:
                found.append(link)
            continue
        target = (document.parent / parts.path).resolve() if parts.path else document
        if not (target.exists() and target.is_relative_to(root)) or (
            parts.fragment and parts.fragment not in anchors(target)
        ):
            found.append(link)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One `x`: two\n"
        "[a](#one-x-two) [b](#three) [c](missing.md) [d](http://x.org) [e](https://x.org/y_(z)) `[f](no)`\n"
    )
    assert broken(tmp_path / "a.md", tmp_path) == ["#three", "missing.md", "http://x.org"]


def test_every_document_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached = {(index.parent / urlsplit(link).path).resolve() for link in links(index)}
    assert {path for path in DOCUMENTS if path.parent == index.parent} - reached == {index}
