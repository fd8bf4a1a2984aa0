"""What programs read: the same keys everywhere, and those that docs/json.md promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import servers
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store


PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
# A row of its table: a command line, and the keys that it prints.
ROW = re.compile(
    r"^\| `([a-z]+(?: [a-z]+| --removed)?)( NAME…?)?` \| (object|list of objects|one object per line) \| ([^|]*) \|$",
    re.MULTILINE,
)
# The engine of this test has no images: tests/images/test_push.py has some.
PROMISED = {match[1]: match for match in ROW.finditer(PAGE) if match[1] not in {"images", "pull"}}


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    """Where the engine of the machine orion is."""
    with servers.serving(servers.engine) as port:
        url = f"tcp://127.0.0.1:{port}"
        made = machinectl("create", "-d", "none", "--no-tls", "--url", url, "--label", "a=b", "orion", store=store.root)
        assert made.returncode == 0
        yield url


@pytest.mark.parametrize("verb", ["url", "ip", "active", "config", "version"])
def test_what_fails_prints_no_json(store: Store, verb: str) -> None:
    done = machinectl(verb, *(["ghost"] if verb != "active" else []), "--json", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr
