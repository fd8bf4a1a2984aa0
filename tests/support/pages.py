"""The pages that users read: README.md and docs/."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
# Written from what --help says.
REFERENCE = DOCS / "reference.md"

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language, without the indentation of a list."""
    return [
        re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        for indent, marked, text in _BLOCK.findall(path.read_text())
        if marked == language
    ]


def prose(path: Path) -> str:
    """Return a page without its code blocks."""
    return _BLOCK.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return what `#…` may follow a link to a page, as GitHub and mkdocs make it from its titles."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).strip().replace(" ", "-") for title in titles}
