"""Containers on a host, without a registry: their image is made of the host's own busybox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.host import Host

IMAGE = "lab/busybox"


def run_container(host: Host, name: str, options: str = "", command: str = "sleep 1d") -> str:
    """Start a container that the engine restarts, and return its ID; it stops at once when it is told to.

    Its process is `unit docker-ID.scope` in the host's snapshot.
    """
    host.run(f"docker image inspect {IMAGE} || tar -C /usr -c bin/busybox | docker import - {IMAGE}")
    detached = f"docker run -d --restart=always --stop-signal=KILL --name {name}"
    return host.output(f"{detached} {options} {IMAGE} /bin/busybox {command}")
