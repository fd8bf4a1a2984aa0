"""Whatever moment provisioning is killed at, the host works, its containers run on, and the next command goes on."""

from __future__ import annotations

import json
import signal
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic
from tests.support.program import killed_around_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.snapshot import Snapshot
    from tests.support.lab_cli import Cli

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


# Seen on the host: its engine's files are being put in place; the engine is restarting with them.
TRANSACTION = "/etc/docker/machinectl/transaction"
WRITING = f"grep -qs server.pem {TRANSACTION}/manifest && [ -e {TRANSACTION}/phase ]"
RESTARTING = "! systemctl is-active -q docker.service"
# A job goes on to its end when its sender is gone.
ENDED = "while [ -e /etc/docker/machinectl/transaction ]; do sleep 0.05; done; systemctl is-active -q docker.service"


def killed(cli: Cli, every: int, *arguments: str, part: str = "") -> Iterator[int]:
    """Run a command again and again, killed before or after one step on its host after the other, to its end.

    `every` leaves out moments: all commands take the steps of `create`, so that each is met by one of them.
    """
    for moment in count(1, every):
        done = killed_around_commands(moment, cli.store, *arguments, part=part)
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr
            assert moment > 8, "it hardly touches the store"
            return
        yield moment


@pytest.fixture
def host(fresh_host: FreshHost) -> Host:
    """A host with an engine and a container that runs on it."""
    host = fresh_host("docker")
    run_container(host, "web")
    return host


# The engine is asked by one curl: docker starts in twice its CPU time, once for each question.
ASK = "curl -sS --unix-socket /run/docker.sock http://engine/containers/web/json"


def same_container(answer: str) -> tuple[int, str]:
    state = json.loads(answer)["State"]
    return state["Pid"], state["StartedAt"]


def container(host: Host) -> tuple[int, str]:
    """What tells the container that runs from one that was started again."""
    return same_container(host.output(ASK))


def container_and_live_restore(host: Host) -> tuple[tuple[int, str], bool, bool]:
    """What `container` returns, whether the engine has live-restore, and whether daemon.json names it."""
    one, info, *config = host.output(f"{ASK} http://engine/info; cat /etc/docker/daemon.json || :").splitlines()
    return same_container(one), json.loads(info)["LiveRestoreEnabled"], "live-restore" in "".join(config)


def is_ready(cli: Cli) -> bool:
    path = cli.store / "machines/orion/machine.json"
    return path.exists() and json.loads(path.read_text())["phase"] == "ready"


def etc(host: Host) -> Snapshot:
    """What the host's configuration is."""
    return {path: what for path, what in host.snapshot().items() if path.startswith("/etc")}


def test_create_and_purge_killed_at_every_step_are_finished_by_the_next_and_no_container_notices(
    host: Host, cli: Cli
) -> None:
    began, before = container(host), etc(host)
    # Each needs what the other leaves behind: they take turns, to the end of both.
    creating = killed(cli, 1, *generic(host))
    purging = killed(cli, 1, "rm", "-y", "--purge", "orion")
    created: int | None = 0
    purged: int | None = 0
    while (created, purged) != (None, None):
        created = next(creating, None)
        if not is_ready(cli):
            cli.ok(*generic(host))
        assert cli.is_running(), created
        assert container_and_live_restore(host) == (began, False, False), created

        purged = next(purging, None)
        assert container(host) == began, purged
        if cli.machines:
            cli.ok("rm", "-y", "--purge", "orion")
        assert container_and_live_restore(host) == (began, False, False), purged
        assert etc(host) == before, (created, purged)


def test_provision_killed_at_its_steps_is_finished_by_the_next_and_no_container_notices(host: Host, cli: Cli) -> None:
    began = container(host)
    cli.ok(*generic(host))

    def lose_the_servers() -> None:
        for name in ("server.pem", "server-key.pem"):
            (cli.store / "machines/orion" / name).unlink()

    lose_the_servers()
    for moment in killed(cli, 3, "provision", "orion", part="key.pem"):
        cli.ok("provision", "orion")
        assert cli.is_running(), moment
        assert container_and_live_restore(host) == (began, False, False), moment
        lose_the_servers()
    assert container(host) == began


def test_new_certificates_killed_at_their_steps_lock_nobody_out_and_no_container_notices(host: Host, cli: Cli) -> None:
    began = container(host)
    cli.ok(*generic(host))
    for moment in killed(cli, 3, "regenerate-certs", "-f", "--new-ca", "orion", part="/.machinectl-"):
        # Nothing is repeated: whoever asks finds out which certificates the engine serves.
        assert cli.is_running(), moment
        assert container(host) == began, moment
    assert cli.is_running()
    assert container_and_live_restore(host) == (began, False, False)
    assert not (cli.store / "machines/orion/pending").exists()


def test_renewal_killed_at_its_steps_leaves_certificates_that_work_and_no_container_notices(
    host: Host, cli: Cli
) -> None:
    began = container(host)
    cli.ok(*generic(host))
    due = ("renew", "--due", "--lifetime-left", "100%")
    for moment in killed(cli, 3, *due, part="cert.pem"):
        assert cli.is_running(), moment
        assert container(host) == began, moment
    assert cli.is_running()
    assert container_and_live_restore(host) == (began, False, False)
    assert not (cli.store / "machines/orion/pending").exists()


def test_new_certificates_that_are_cut_on_their_host_lock_nobody_out(host: Host, cli: Cli) -> None:
    began = container(host)
    cli.ok(*generic(host))
    old = (cli.store / "machines/orion/ca.pem").read_bytes()
    for moment, options, signum in (
        (WRITING, ["--new-ca"], signal.SIGKILL),
        (RESTARTING, [], signal.SIGINT),
    ):
        running = cli.start("regenerate-certs", "-f", *options, "orion")
        host.run(f"until {moment}; do sleep 0.01; done")
        running.kill(signum)
        host.run(ENDED)
        assert cli.is_running()
        assert container(host) == began
    assert (cli.store / "machines/orion/ca.pem").read_bytes() != old
    # Nothing needs a hand: the next one is as any other.
    cli.ok("regenerate-certs", "-f", "--new-ca", "orion")
    assert cli.is_running()
    assert not (cli.store / "machines/orion/pending").exists()
