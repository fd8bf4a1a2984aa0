"""Write the files that follow from the command line: `make reference`, and each build of a package.

They are not in version control. The man page is called machinectl-docker because machinectl(1) is systemd's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.reference import man_page, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "machinectl-docker.1"
REFERENCE = ROOT / "docs" / "reference.md"
GENERATED: Mapping[Path, Callable[[], str]] = {PAGE: man_page, REFERENCE: markdown}

if __name__ == "__main__":
    for path, text in GENERATED.items():
        content = text()
        # Tests may read it while a package is built.
        if path.exists() and path.read_text() == content:
            path.touch()
        else:
            path.write_text(content)
