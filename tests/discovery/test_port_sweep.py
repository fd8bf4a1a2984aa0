"""Connections to many addresses at once; on loopback, all of 127.0.0.0/8 is ours."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.discovery.port_sweep import PortSweep, SweepTarget
from machinectl.errors import MachineError
from tests.support.servers import full, serving, silent, unlistened

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 30.0


@pytest.fixture
def few_files() -> Iterator[None]:
    """Allow eight more files. The limit is a number, and below it are gaps and files of other tests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        highest = max(stack.enter_context(socket.socket()).fileno() for _ in range(8))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
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


def test_open_ports_of_a_whole_network_are_found() -> None:
    with serving(silent, host="127.0.9.17") as port:
        targets = [SweepTarget(f"127.0.9.{last}", port) for last in range(1, 255)]
        sweep = PortSweep(targets, LONG)
        assert taken(sweep) == [SweepTarget("127.0.9.17", port)]
        assert sweep.refusing == {target.address for target in targets} - {"127.0.9.17"}


def test_ipv6_addresses_are_tried() -> None:
    with serving(silent, host="::1") as port:
        assert taken(PortSweep([SweepTarget("::1", port)], LONG)) == [SweepTarget("::1", port)]


def test_a_silent_address_times_out_and_the_next_is_tried() -> None:
    with full("127.0.9.18") as dead, serving(silent, host="127.0.9.19") as port:
        sweep = PortSweep([SweepTarget("127.0.9.18", dead), SweepTarget("127.0.9.19", port)], 0.05)
        assert taken(sweep, room=1) == [SweepTarget("127.0.9.19", port)]
        assert not sweep.refusing


def test_targets_without_a_route_are_counted() -> None:
    # A multicast group is nobody's that TCP could connect to.
    sweep = PortSweep([SweepTarget("224.0.0.1", 22)], LONG)
    assert not taken(sweep)
    assert sweep.no_way == 1


def test_a_connection_to_itself_does_not_count() -> None:
    """TCP lets a socket that was given the port that it tries connect to itself (RFC 9293 3.5)."""
    with unlistened() as port:
        sweep = PortSweep([SweepTarget("127.0.0.1", port)] * 3, LONG)
        assert not taken(sweep)


@pytest.mark.usefixtures("few_files")
def test_with_few_descriptors_targets_are_tried_one_by_one() -> None:
    # It accepts nothing: connections that wait there take none of the descriptors.
    with socket.create_server(("127.0.9.20", 0), backlog=40) as listener:
        wanted = [SweepTarget(*listener.getsockname())] * 40
        assert taken(PortSweep(wanted, LONG)) == wanted


def test_no_free_descriptor_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    sweep = PortSweep([SweepTarget("127.0.0.1", 1)], LONG)
    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(MachineError, match="Too many open files"):
        sweep.step(1)
