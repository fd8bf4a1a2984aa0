"""What doctor says of docker's own doors to the machines: the plugin, and contexts, judged by the real docker CLI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.check import Seat, Verdict
from machinectl.docker_cli import doctor_checks, plugin
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import sync_context
from machinectl.machines.record import Machine
from tests.support.docker_cli import DockerCli
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.check import Check
    from machinectl.machines.store import Store

OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN


@pytest.fixture
def cli(tmp_path: Path) -> DockerCli:
    return DockerCli(tmp_path / "docker")


def looked_at(store: Store, cli: DockerCli, **variables: str) -> dict[str, Check]:
    environment = {"DOCKER_CONFIG": str(cli.config), **variables}
    machines = [store.read(name) for name in store.names()]
    before = sorted(cli.config.rglob("*"))
    seat = Seat("machinectl", environment)
    found = {check.title: check for check in doctor_checks.checks(store, machines, seat)}
    assert sorted(cli.config.rglob("*")) == before
    return found


def machine(store: Store, cli: DockerCli, name: str = "orion") -> Machine:
    """A machine with its context in docker's directory."""
    new = added(store, Machine(name, "none", url="tcp://192.0.2.7:2375"))
    sync_context(Contexts(str(cli.config)), store, new.name)
    return new


def test_contexts_are_held_against_the_machines(store: Store, cli: DockerCli, monkeypatch: pytest.MonkeyPatch) -> None:
    def judged() -> tuple[Verdict, str, str]:
        found = looked_at(store, cli)["docker contexts"]
        return found.verdict, found.seen, found.hint

    sync = "Update it: machinectl context sync"
    added(store, Machine("orion", "none", url="tcp://192.0.2.7:2375"))
    assert judged() == (UNKNOWN, "orion: it is missing", sync)
    sync_context(Contexts(str(cli.config)), store, "orion")
    assert judged()[0] is OK
    cli("context", "update", "orion", "--docker", "host=tcp://192.0.2.9:2375")
    assert judged()[:2] == (BROKEN, "orion: it leads to tcp://192.0.2.9:2375")
    with store.writing("orion") as held:
        held.machine.context = False
        held.write()
    assert judged()[::2] == (BROKEN, "Remove it: machinectl context sync")
    sync_context(Contexts(str(cli.config)), store, "orion")
    assert judged() == (OK, "orion: not wanted (--no-context)", "Add it: machinectl set --context orion")
    monkeypatch.setenv("MACHINECTL_CONTEXTS", "off")
    assert judged()[::2] == (OK, "Turn them on: unset MACHINECTL_CONTEXTS")


def test_a_context_that_is_chosen_and_gone_is_what_docker_fails_on(store: Store, cli: DockerCli) -> None:
    machine(store, cli)
    cli("context", "use", "orion")
    assert looked_at(store, cli)["Current context"].seen == '"orion", which leads to tcp://192.0.2.7:2375'
    meta = Path(Contexts(str(cli.config)).place("meta", "orion"), "meta.json")
    context = meta.read_text()
    meta.write_text("{")
    found = looked_at(store, cli)
    assert (found["docker contexts"].verdict, found["Current context"].verdict) == (UNKNOWN, BROKEN)
    meta.write_text(context)
    Contexts(str(cli.config)).remove("orion")
    assert cli.run("ps").returncode != 0
    gone = looked_at(store, cli)["Current context"]
    assert (gone.verdict, gone.hint) == (BROKEN, "Use another one: docker context use default")
    cli("context", "use", "default")
    assert "Current context" not in looked_at(store, cli)
    gone = looked_at(store, cli, DOCKER_CONTEXT="ghost")["Current context"]
    assert gone.hint == "Use another one: unset DOCKER_CONTEXT"


def test_the_plugin(store: Store, cli: DockerCli, tmp_path: Path) -> None:
    program = tmp_path / "machinectl"
    program.touch(mode=0o755)
    path = cli.config / "cli-plugins" / "docker-machine"
    found = looked_at(store, cli)["docker plugin"]
    assert (found.verdict, found.hint) == (OK, "Install it: machinectl docker-plugin install")
    plugin.install_plugin([str(program)], {"DOCKER_CONFIG": str(cli.config)})
    assert looked_at(store, cli)["docker plugin"].seen == f"`docker machine` is {program}"
    program.unlink()
    found = looked_at(store, cli)["docker plugin"]
    assert (found.verdict, found.hint) == (UNKNOWN, "Install it again: machinectl docker-plugin install")
    path.write_text("#!/bin/sh\n")
    found = looked_at(store, cli)["docker plugin"]
    assert found.verdict is UNKNOWN
    assert "Move it away" in found.hint
