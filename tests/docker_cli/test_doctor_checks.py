"""What doctor says of docker's own doors to the machines: the plugin, contexts, and the login of docker's own ssh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.check import Check, Seat, Verdict
from machinectl.docker_cli import doctor_checks, plugin
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.doctor_checks import OVER_SSH
from machinectl.docker_cli.machine_contexts import sync_context
from machinectl.doctor.machine_checks import check_machine
from machinectl.hosts.login import Login
from machinectl.hosts.ssh_config import LET_SSH_KNOW
from machinectl.machines.record import Machine
from machinectl.verbs.ssh_config import keep_ssh_config
from tests.support.docker_cli import DockerCli
from tests.support.quiet import Quiet
from tests.support.registered import added, over_ssh, register

if TYPE_CHECKING:
    from machinectl.check import Check
    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

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


pytestmark = pytest.mark.timeout(60)
OK, BROKEN, UNKNOWN = Verdict


def docker_ssh(store: Store) -> Check:
    return {check.title: check for check in check_machine(store, Quiet(), "orion", Login(), 5)}[OVER_SSH]


def test_dockers_ssh_needs_the_machines_keys(store: Store, sshd: Sshd, ssh_config: SSHConfig) -> None:
    over_ssh(store, sshd)
    found = docker_ssh(store)
    assert (found.verdict, found.hint) == (BROKEN, LET_SSH_KNOW)
    assert found.seen.startswith(f"docker uses your own ssh, which cannot log in at {sshd.host}: ")
    assert not ssh_config.known_hosts.read_text()
    include = keep_ssh_config(store, Quiet(), [])
    # The file alone changes nothing.
    assert docker_ssh(store).verdict is BROKEN
    ssh_config.write(include)
    found = docker_ssh(store)
    assert (found.verdict, found.seen) == (OK, f"your own ssh, which docker uses, logs in at {sshd.host}")


def test_a_login_that_may_ask_for_a_passphrase_is_no_fault(store: Store, sshd: Sshd, ssh_config: SSHConfig) -> None:
    over_ssh(store, sshd)
    keep_ssh_config(store, Quiet(), [])
    ssh_config.write(f"Host {sshd.host}\n  HostKeyAlias machinectl\n  UserKnownHostsFile {known_hosts(store)}")
    found = docker_ssh(store)
    own, _ = found.hint.split("; ", 1)
    assert (found.verdict, own) == (UNKNOWN, f"See why: ssh -l {sshd.user} -p {sshd.port} {sshd.host} true")
    assert found.hint.parts[1:] == LET_SSH_KNOW.parts
    assert "Permission denied" in found.seen


def known_hosts(store: Store) -> Path:
    return Path(store.directory("orion"), "known_hosts")


@pytest.mark.usefixtures("ssh_config")
def test_nothing_is_tried_where_ssh_fails_or_docker_needs_none(store: Store, sshd: Sshd) -> None:
    over_ssh(store, sshd)
    sshd.close()
    assert docker_ssh(store).is_unseen
    register(store, "rigel", sshd)
    assert OVER_SSH not in {check.title for check in check_machine(store, Quiet(), "rigel", Login(), 5)}
