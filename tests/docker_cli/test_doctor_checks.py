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


def test_what_is_missing_is_not_needed(store: Store, cli: DockerCli) -> None:
    added(store, Machine("orion", "none", url="tcp://192.0.2.7:2375"))
    found = looked_at(store, cli)
    assert found["docker plugin"].verdict is OK
    assert found["docker plugin"].hint == "Install it: machinectl docker-plugin install"
    assert (found["docker contexts"].verdict, found["docker contexts"].seen) == (UNKNOWN, "orion: it is missing")
    assert found["docker contexts"].hint == "Update it: machinectl context sync"


def test_contexts_that_are_in_step_and_one_that_leads_elsewhere(store: Store, cli: DockerCli) -> None:
    machine(store, cli)
    assert looked_at(store, cli)["docker contexts"].verdict is OK
    cli("context", "update", "orion", "--docker", "host=tcp://192.0.2.9:2375")
    found = looked_at(store, cli)["docker contexts"]
    assert (found.verdict, found.seen) == (BROKEN, "orion: it leads to tcp://192.0.2.9:2375")


def test_a_machine_that_is_to_have_no_context_is_no_fault_unless_it_has_one(store: Store, cli: DockerCli) -> None:
    machine(store, cli)
    with store.writing("orion") as held:
        held.machine.context = False
        held.write()
    found = looked_at(store, cli)["docker contexts"]
    assert (found.verdict, found.hint) == (BROKEN, "Remove it: machinectl context sync")
    sync_context(Contexts(str(cli.config)), store, "orion")
    found = looked_at(store, cli)["docker contexts"]
    assert (found.verdict, found.hint) == (OK, "Add it: machinectl set --context orion")
    assert found.seen == "orion: not wanted (--no-context)"


def test_contexts_that_are_switched_off_are_no_fault(
    store: Store, cli: DockerCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINECTL_CONTEXTS", "off")
    found = looked_at(store, cli)["docker contexts"]
    assert (found.verdict, found.hint) == (OK, "Turn them on: unset MACHINECTL_CONTEXTS")


def test_a_context_that_is_chosen_and_gone_is_what_docker_fails_on(store: Store, cli: DockerCli) -> None:
    machine(store, cli)
    cli("context", "use", "orion")
    assert looked_at(store, cli)["Current context"].seen == '"orion", which leads to tcp://192.0.2.7:2375'
    Contexts(str(cli.config)).remove("orion")
    assert cli.run("ps").returncode != 0
    found = looked_at(store, cli)["Current context"]
    assert (found.verdict, found.hint) == (BROKEN, "Use another one: docker context use default")
    cli("context", "use", "default")
    assert "Current context" not in looked_at(store, cli)
    found = looked_at(store, cli, DOCKER_CONTEXT="ghost")["Current context"]
    assert found.hint == "Use another one: unset DOCKER_CONTEXT"


def test_the_plugin(store: Store, cli: DockerCli, tmp_path: Path) -> None:
    program = tmp_path / "machinectl"
    program.touch(mode=0o755)
    path = cli.config / "cli-plugins" / "docker-machine"
    plugin.install_plugin([str(program)], {"DOCKER_CONFIG": str(cli.config)})
    assert looked_at(store, cli)["docker plugin"].seen == f"`docker machine` is {program}"
    program.unlink()
    found = looked_at(store, cli)["docker plugin"]
    assert (found.verdict, found.hint) == (UNKNOWN, "Install it again: machinectl docker-plugin install")
    path.write_text("#!/bin/sh\n")
    found = looked_at(store, cli)["docker plugin"]
    assert found.verdict is UNKNOWN
    assert "Move it away" in found.hint


def test_a_context_that_is_none_is_told(store: Store, cli: DockerCli) -> None:
    machine(store, cli)
    cli("context", "use", "orion")
    Path(Contexts(str(cli.config)).place("meta", "orion"), "meta.json").write_text("{")
    found = looked_at(store, cli)
    assert found["docker contexts"].verdict is UNKNOWN
    assert found["Current context"].verdict is BROKEN
