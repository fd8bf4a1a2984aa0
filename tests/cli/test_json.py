"""What programs read: the same keys everywhere, and those that docs/json.md promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import __version__
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.provision.host_changes import FileCreated
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator


PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
# A row of its table: a command line, and the keys that it prints.
ROW = re.compile(
    r"^\| `([a-z]+(?: [a-z]+| --removed)?)( NAME…?)?` \| (object|list of objects|one object per line) \| ([^|]*) \|$",
    re.MULTILINE,
)
# The engine of this test has no images: tests/images/test_push.py has some.
PROMISED = {match[1]: match for match in ROW.finditer(PAGE) if match[1] not in {"images", "pull"}}
# What holds data of somebody else's by its own names.
DATA = {"Options", "DriverState", "Labels", "EngineOptions", "SwarmOptions"}


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    """Where the engine of the machine orion is."""
    with servers.serving(servers.engine) as port:
        url = f"tcp://127.0.0.1:{port}"
        made = machinectl("create", "-d", "none", "--no-tls", "--url", url, "--label", "a=b", "orion", store=store.root)
        assert made.returncode == 0
        yield url


def printed(store: Store, *arguments: str, docker_host: str = "") -> Any:
    done = machinectl(*arguments, "--json", store=store.root, environment={"DOCKER_HOST": docker_host})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("line", PROMISED)
def test_a_verb_prints_the_keys_that_the_docs_promise(
    store: Store, url: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = PROMISED[line]
    if line == "plan":
        monkeypatch.chdir(tmp_path)
        Path("fleet.yaml").write_text(f"hosts: {{orion: {{driver: none, url: '{url}'}}}}")
    if line == "certs ls":
        Path(store.directory("orion"), "ca.pem").write_text("none")
    if line == "changes":
        with store.writing("orion") as held:
            held.keep_changes([FileCreated("/x")])
    if line == "socket ls":
        machinectl("socket", "orion", "--background", store=store.root)
    found = printed(store, *line.split(), *(["orion"] if row[2] else []), docker_host=url)
    if line == "socket ls":
        machinectl("socket", "rm", "orion", store=store.root)
        assert found
    assert isinstance(found, list) is (row[3] == "list of objects")
    for each in found if isinstance(found, list) else [found]:
        assert list(each) == re.findall(r"`([A-Za-z]+)`", row[4])
        assert all(re.fullmatch(r"([A-Z][a-z]*)+", key) for key in keys(each))


def test_json_is_utf_8_in_a_store_whose_path_is_not(tmp_path: Path) -> None:
    store = Store(f"{tmp_path}/st\udcffre")
    added(store, Machine("orion", "none", url="tcp://192.0.2.1:2376"))
    told = machinectl("-s", store.root, "inspect", "--json", "orion").stdout
    assert json.loads(told)["Directory"] == f"{tmp_path}/st\ufffdre/machines/orion"


def keys(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from keys(value if key not in DATA else None)
    for each in found if isinstance(found, list) else ():
        yield from keys(each)


def test_every_verb_that_shows_something_has_json() -> None:
    assert set(PROMISED) >= {
        *(
            "ls",
            "ls --removed",
            "status",
            "certs ls",
            "drivers",
            "inspect",
            "url",
            "ip",
            "config",
            "version",
            "active",
            "changes",
            "ps",
            "info",
        )
    }


def test_the_values_are_those_of_the_text(store: Store, url: str) -> None:
    name = {"Name": "orion"}
    assert printed(store, "url", "orion") == {**name, "URL": url}
    assert printed(store, "ip", "orion", "orion") == [{**name, "IPAddress": "127.0.0.1"}] * 2
    assert printed(store, "active", docker_host=url) == {**name, "URL": url}
    assert printed(store, "config", "orion") == {**name, "Flags": [f"-H={url}"]}
    assert printed(store, "version", "orion") == {**name, "Version": "99.1.2", "APIVersion": "1.99"}
    assert printed(store, "version")["Version"] == __version__
    status = printed(store, "status", "orion")
    assert (status["Name"], status["State"], status["Version"]) == ("orion", "Running", "99.1.2")


@pytest.mark.parametrize("verb", ["url", "ip", "active", "config", "version"])
def test_what_fails_prints_no_json(store: Store, verb: str) -> None:
    done = machinectl(verb, *(["ghost"] if verb != "active" else []), "--json", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr
