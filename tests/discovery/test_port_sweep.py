"""Connections to many addresses at once; on loopback, all of 127.0.0.0/8 is ours."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.discovery import scan
from machinectl.discovery.scan import NetworkScan
from machinectl.discovery.services import SweepTarget
from machinectl.errors import MachineError
from tests.support.servers import full, serving, silent, unlistened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.machines.store import Store

LONG = 30.0


def scanned(store: Store, targets: Iterable[SweepTarget], timeout: float = LONG, sockets: int = 100) -> NetworkScan:
    swept = NetworkScan(store, targets, timeout, sockets)
    swept.run()
    return swept


def addresses(swept: NetworkScan) -> list[str]:
    return [host.address for host in swept.hosts()]


@pytest.mark.parametrize("sockets", [1, 100])
def test_open_ports_of_a_whole_network_are_found(store: Store, sockets: int) -> None:
    with serving(lambda connection: connection.send(b"220 ready\r\n"), host="127.0.9.17") as port:
        targets = [SweepTarget(f"127.0.9.{last}", port) for last in range(1, 255)]
        swept = scanned(store, targets, sockets=sockets)
    assert (addresses(swept), swept.refusing) == (["127.0.9.17"], 253)


def test_ipv6_addresses_are_tried(store: Store) -> None:
    with serving(silent, host="::1") as port:
        assert addresses(scanned(store, [SweepTarget("::1", port)], 0.2)) == ["::1"]


def test_a_silent_address_times_out_and_the_next_is_tried(store: Store) -> None:
    with full("127.0.9.18") as dead, serving(silent, host="127.0.9.19") as port:
        swept = scanned(store, [SweepTarget("127.0.9.18", dead), SweepTarget("127.0.9.19", port)], 0.05, sockets=1)
    assert (addresses(swept), swept.refusing) == (["127.0.9.19"], 0)


def test_targets_without_a_route_are_counted(store: Store) -> None:
    # A multicast group is nobody's that TCP could connect to.
    swept = scanned(store, [SweepTarget("224.0.0.1", 22)])
    assert (addresses(swept), swept.no_way) == ([], 1)


def test_a_connection_to_itself_does_not_count(store: Store) -> None:
    """TCP lets a socket that was given the port that it tries connect to itself (RFC 9293 3.5)."""
    with unlistened() as port:
        assert not addresses(scanned(store, [SweepTarget("127.0.0.1", port)] * 3))


def test_no_free_descriptor_is_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted(socket.socket):
        def __init__(self, *_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    def without_sockets(target: SweepTarget) -> socket.socket:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", Exhausted)
            return opened(target)

    opened = scan.new_socket
    monkeypatch.setattr(scan, "new_socket", without_sockets)
    with pytest.raises(MachineError, match="Too many open files"):
        scanned(store, [SweepTarget("127.0.0.1", 1)])
