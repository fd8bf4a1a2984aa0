"""Fixtures: a lab for the test run, and a host of any kind for a test.

def test_…(fresh_host: FreshHost) -> None:
    host = fresh_host("docker", "port2222", suite="bookworm")
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.lab.command import LabError, sh
from tests.lab.image import archives
from tests.lab.lan import Lab
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import Host

__all__ = ["FreshHost", "empty_lab", "fresh_host", "lab"]

_PROGRAMS = ("systemd-nspawn", "mmdebstrap", "ip", "iptables", "ssh", "ssh-keygen", "nsenter", "setpriv", "setsid")


class FreshHost(Protocol):
    def __call__(self, *variants: str, suite: str = "trixie") -> Host: ...


@pytest.fixture(scope="session")
def empty_lab(lab: Lab) -> Iterator[Lab]:  # noqa: ARG001 (what it asks for and says where it cannot be had)
    """One more lab, in which nobody but the test that asks for it makes hosts."""
    empty = Lab.claim()
    yield empty
    empty.down()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """This process's own lab; each xdist worker has one. It goes with the process, also by kill -9."""
    need(*_PROGRAMS, root=True)
    _need_a_machine_that_can()
    mine = Lab.claim()
    yield mine
    mine.down()


@pytest.fixture
def fresh_host(lab: Lab) -> Iterator[FreshHost]:
    """Boot a new host of some variants, for this test alone; it has booted when the call returns."""
    mine: list[Host] = []

    def boot(*variants: str, suite: str = "trixie") -> Host:
        [host] = lab.up(variants, suite)
        mine.append(host)
        host.wait_booted()
        return host

    yield boot
    for host in set(mine) & set(lab.hosts()):
        host.remove()


def _need_a_machine_that_can() -> None:
    try:
        archives()
        sh("unshare", "--mount", "true")
    except (LabError, OSError) as error:
        if os.environ.get("MACHINECTL_REQUIRE_REAL") == "1":
            raise
        pytest.skip(str(error))
