"""The house as CONTRIBUTING describes it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Names that CONTRIBUTING invents for its examples.
INVENTED = re.compile(r"frob|[A-Z]{4,}")


def test_every_path_in_contributing_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:machinectl|drivers|tests|examples|docs|\.ci)/[\w./-]+)`", text)
    assert paths
    assert [path for path in paths if not INVENTED.search(Path(path).name) and not (ROOT / path).exists()] == []
