"""`machinectl run` over connections that were kept for it: what uses one, and what has a new one made."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.files.user_directories import socket_directory
from machinectl.process_streams import StopEvent
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh import direct_session, multiplexing
from machinectl.ssh.openssh.ssh_options import identity_arguments
from tests.support.engine_sockets import register_ssh_engine
from tests.support.program import machinectl
from tests.support.registered import register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import SSHConfig, Sshd


@pytest.fixture
def fleet(store: Store, sshd: Sshd, ssh_config: SSHConfig, runtime: Path) -> Store:  # noqa: ARG001
    for name in ("rigel", "vega"):
        register(store, name, sshd)
    return store


def sockets(runtime: Path) -> list[Path]:
    return sorted(runtime.glob("*/*"))


def logins(sshd: Sshd) -> int:
    return sshd.log.count("Accepted publickey")


def run(store: Store, *arguments: str, status: int = 0, environment: dict[str, str] | None = None) -> str:
    done = machinectl("run", *arguments, "--", "echo out; exit 3", store=store.root, environment=environment)
    assert done.returncode == (status or 3), done.stderr
    return done.stdout


def test_the_next_run_uses_the_connections_and_what_it_says_is_the_same(
    fleet: Store, sshd: Sshd, runtime: Path
) -> None:
    for words in ("echo out; echo err >&2; exit 3", "cat; kill -TERM $$", "head -c 300000 /dev/zero | cksum"):
        done = [machinectl("run", "rigel", "vega", "--", words, store=fleet.root, stdin="in\n") for _ in range(2)]
        first, second = ((each.returncode, sorted(each.stdout.splitlines()), each.stderr.splitlines()) for each in done)
        assert (*first[:2], sorted(first[2])) == (*second[:2], sorted(second[2]))
    # They share a host.
    assert logins(sshd) <= 2
    assert len(sockets(runtime)) == 1
    directory = sockets(runtime)[0].parent
    assert (directory.stat().st_mode & 0o777, directory.stat().st_uid) == (0o700, os.geteuid())


def test_whoever_wants_none_keeps_none(fleet: Store, runtime: Path) -> None:
    run(fleet, "rigel", "--no-persist")
    run(fleet, "rigel", environment={"MACHINECTL_PERSIST": "off"})
    assert not sockets(runtime)


def test_what_changes_on_record_has_a_new_connection_made(fleet: Store, sshd: Sshd, tmp_path: Path) -> None:
    def changes() -> Iterator[str]:
        yield "nothing"
        directory = Path(fleet.directory("rigel"))
        other = keygen(tmp_path / "other")
        sshd.authorize(other)
        (directory / "id_ssh").write_bytes(other.read_bytes())
        yield "the key of the user"
        with (directory / "known_hosts").open("a") as file:
            file.write(f"machinectl {' '.join(sshd.known(1).split()[1:3])}\n")
        yield "the host's pinned keys"
        with fleet.writing("rigel") as held:
            held.machine.driver_state = held.machine.driver_state.replace('"127.0.0.1"', '"localhost"')
            held.write()
        yield "the address"

    run(fleet, "rigel")
    before = logins(sshd)
    for change in changes():
        run(fleet, "rigel")
        assert logins(sshd) == before + (change != "nothing"), change
        before = logins(sshd)


def test_a_host_key_that_is_not_pinned_any_more_is_refused_at_once(fleet: Store, tmp_path: Path) -> None:
    run(fleet, "vega")
    known_hosts = Path(fleet.directory("vega"), "known_hosts")
    known_hosts.write_text(f"machinectl {keygen(tmp_path / 'another').with_suffix('.pub').read_text()}")
    run(fleet, "vega", status=255)


@pytest.mark.usefixtures("ssh_config")
def test_an_engine_over_ssh_is_asked_over_the_same_connection(
    store: Store, sshd: Sshd, dockerd: Dockerd, runtime: Path
) -> None:
    register_ssh_engine(store, "orion", sshd, dockerd)
    run(store, "orion")
    assert machinectl("status", "orion", store=store.root).stdout == "Running\n"
    assert (logins(sshd), len(sockets(runtime))) == (1, 1)


def test_a_connection_whose_host_has_gone_is_replaced(
    fleet: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(expected: int) -> None:
        """Run a command once more in this process, which has the shorter patience."""
        said: list[bytes] = []
        endpoint = SSHEndpoint(sshd.host, sshd.user, sshd.port, os.path.join(fleet.directory("vega"), "id_ssh"))
        known_hosts = os.path.join(fleet.directory("vega"), "known_hosts")
        control = multiplexing.Multiplexing().path(endpoint, identity_arguments(endpoint.key, known_hosts))
        status = direct_session.follow(
            endpoint, known_hosts, "echo out; exit 3", lambda data, _: said.append(data), StopEvent(), kept=control
        )
        assert (status, b"".join(said)) == (3, b"out\n")
        assert logins(sshd) == expected

    monkeypatch.setattr(direct_session, "KEPT_SECONDS", 2.0)
    again(1)
    # The line is cut: no packet comes back.
    sshd.freeze()
    again(2)
    # The host was switched off, and has said so.
    sshd.disconnect()
    again(3)


def test_no_socket_is_made_where_others_may_write_or_the_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    own = socket_directory()
    assert os.path.dirname(own) == str(runtime)
    os.chmod(own, 0o755)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / ("long" * 30)))
    assert socket_directory() != own
    os.rmdir(own)
    os.symlink(tmp_path, own)
    assert socket_directory() != own


def test_a_socket_that_the_user_configured_is_the_only_one(
    fleet: Store, runtime: Path, ssh_config: SSHConfig, sshd: Sshd
) -> None:
    ssh_config.write(f"ControlPath {runtime}/%C\n")
    run(fleet, "vega")
    run(fleet, "vega")
    assert (sockets(runtime), logins(sshd)) == ([], 2)
