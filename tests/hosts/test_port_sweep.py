"""Many addresses tried at once: on loopback all of 127.0.0.0/8 is here."""

from __future__ import annotations

import errno
import resource
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.hosts.discovery.port_sweep import PortSweep, SweepTarget
from tests.support.servers import full, serving, silent, unlistened

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 30.0


@pytest.fixture
def few_files() -> Iterator[None]:
    """Hardly a file more than are open may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 8, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def taken(sweep: PortSweep, room: int = 100) -> list[SweepTarget]:
    found = []
    while not sweep.done:
        for target, sock in sweep.step(room):
            found.append(target)
            sock.close()
    sweep.close()
    return found


def test_of_a_whole_network_those_are_found_that_listen() -> None:
    with serving(silent, host="127.0.9.17") as port:
        targets = [SweepTarget(f"127.0.9.{last}", port) for last in range(1, 255)]
        sweep = PortSweep(targets, LONG)
        assert taken(sweep) == [SweepTarget("127.0.9.17", port)]
        assert sweep.refusing == {target.address for target in targets} - {"127.0.9.17"}


def test_an_ipv6_address_is_tried_as_well() -> None:
    with serving(silent, host="::1") as port:
        assert taken(PortSweep([SweepTarget("::1", port)], LONG)) == [SweepTarget("::1", port)]


def test_who_does_not_answer_is_given_up_and_the_next_one_tried() -> None:
    with full("127.0.9.18") as dead, serving(silent, host="127.0.9.19") as port:
        sweep = PortSweep([SweepTarget("127.0.9.18", dead), SweepTarget("127.0.9.19", port)], 0.05)
        assert taken(sweep, room=1) == [SweepTarget("127.0.9.19", port)]
        assert not sweep.refusing


def test_what_no_network_leads_to_is_counted() -> None:
    # A multicast group is nobody's that TCP could connect to.
    sweep = PortSweep([SweepTarget("224.0.0.1", 22)], LONG)
    assert not taken(sweep)
    assert sweep.no_way == 1


def test_a_connection_to_itself_is_none() -> None:
    """TCP lets a socket that was given the port that it tries connect to itself (RFC 9293 3.5)."""
    with unlistened() as port:
        sweep = PortSweep([SweepTarget("127.0.0.1", port)] * 3, LONG)
        assert not taken(sweep)


@pytest.mark.usefixtures("few_files")
def test_with_few_files_all_are_tried_one_after_the_other() -> None:
    with serving(silent, host="127.0.9.20") as port:
        wanted = [SweepTarget("127.0.9.20", port)] * 40
        assert taken(PortSweep(wanted, LONG)) == wanted


def test_with_no_file_left_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    sweep = PortSweep([SweepTarget("127.0.0.1", 1)], LONG)
    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(MachineError, match="Too many open files"):
        sweep.step(1)
