"""`images` prints what the real docker CLI prints of the same engine, with the machine in front."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from machinectl.engine.http import request
from machinectl.machines.record import Machine, Phase
from tests.support import servers
from tests.support.archives import Made, saved
from tests.support.image_engines import unique_layer
from tests.support.in_process import machinectl
from tests.support.program import typed_at_terminal
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.image_engines import Engine
    from tests.support.registry import Registry
    from tests.support.servers import Connection

STORES = ["classic", "containerd"]
EVERY = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.CreatedAt}}\t{{.Size}}"


@pytest.mark.usefixtures("image_machines")
@pytest.mark.parametrize("name", STORES)
def test_each_field_is_what_docker_prints(engines: dict[str, Engine], registry: Registry, name: str) -> None:
    engine = engines[name]
    engine.load(saved({"two:1": Made([unique_layer()]), "other:1": Made([unique_layer()])}))
    engine.docker("tag", "two:1", "two:latest")
    engine.docker("tag", "two:1", "registry.lan:5000/team/two:1")
    engine.load(saved({"gone:1": Made([unique_layer()])}))
    engine.load(saved({"gone:1": Made([unique_layer()])}))
    by_digest = Made([unique_layer()])
    place = registry.upload("by-digest:1", by_digest).rpartition(":")[0]
    query = urlencode({"fromImage": place, "tag": by_digest.manifest_digest})
    with request(engine.endpoint, "POST", f"/images/create?{query}") as answer:
        answer.read(1 << 20)
    for flags in ([], ["--no-trunc"], ["--digests"], ["--filter=dangling=true"], ["--filter=reference=two*"]):
        template = EVERY + "\t{{.Digest}}" * ("--digests" in flags)
        theirs = engine.docker("images", "--format", template, *flags).decode().splitlines()
        done = machinectl("images", name, "--format", template, *flags)
        assert sorted(done.stdout.splitlines()) == sorted(theirs), done.stderr
        theirs = engine.docker("images", "-q", *flags).decode().splitlines()
        assert sorted(set(machinectl("images", name, "-q", *flags).stdout.splitlines())) == sorted(set(theirs))


@pytest.mark.usefixtures("image_machines")
def test_the_machines_stand_before_dockers_columns(engines: dict[str, Engine]) -> None:
    for engine in engines.values():
        engine.load(saved({"app:1": Made([unique_layer()])}))
    heading, *rows = (line.split() for line in machinectl("images").stdout.splitlines())
    assert heading == ["MACHINE", "REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert [row[:3] for row in rows if row[1] == "app"] == [[name, "app", "1"] for name in STORES]
    assert "DIGEST" in machinectl("images", "--digests").stdout.splitlines()[0]


def test_what_an_engine_says_is_harmless_on_a_terminal(store: Store) -> None:
    said = json.dumps([{"Id": "sha256:\x1b[2J", "RepoTags": ["\x1b[31mevil:1", 7], "Created": "x", "Size": None}, 8])

    def engine(connection: Connection) -> None:
        while connection.request():
            connection.send(servers.answer(said.encode()))

    with servers.serving(engine) as port:
        added(store, Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        shown = typed_at_terminal("images", store=store.root)
    assert "evil" in shown
    assert "\x1b" not in shown
