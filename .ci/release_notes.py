"""Print the CHANGELOG's section on a version. Fail if the tag, `__version__` and the section's title disagree.

Usage: python .ci/release_notes.py v1.2.3
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
# Keep a Changelog 1.1.0: "## [1.2.3] - 2026-11-28"; an unreleased version has no date.
SECTION = r"^## \[?{version}\]? - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)"


def release_notes(tag: str, root: Path) -> str:
    """Return the section's text. Raises SystemExit with the reason if this version cannot be released."""
    version = tag.removeprefix("v")
    written = VERSION.search((root / "machinectl/__init__.py").read_text())
    if written is None or written[1] != version:
        sys.exit(f"tag {tag}, but __version__ is {written[1] if written else 'missing'}")
    pattern = SECTION.format(version=re.escape(version))
    section = re.search(pattern, (root / "CHANGELOG.md").read_text(), re.DOTALL | re.MULTILINE)
    if section is None:
        sys.exit(f'CHANGELOG.md has no section "## [{version}] - YYYY-MM-DD"')
    return section[1].strip()


if __name__ == "__main__":
    print(release_notes(sys.argv[1], ROOT))
