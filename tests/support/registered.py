"""Machines in a store without a `create`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.machine_driver import endpoints_of, engine_url_of
from machinectl.machines.record import Machine, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import Sshd
    from tests.support.sshds import Host


def added(store: Store, machine: Machine, files: Mapping[str, bytes] | None = None) -> Machine:
    """A machine that is in the store now."""
    with store.writing(machine.name) as held:
        held.add(machine, files or {})
    return machine


def register(
    store: Store, name: str, sshd: Sshd | Host, *, pinned: bool = True, engine: Dockerd | None = None
) -> Machine:
    """A machine of the generic driver with a key of its own; its host's key is pinned, or will be at first contact."""
    machine = Machine(name, "generic", url=engine.url if engine else f"tcp://{sshd.host}:1", tls=True)
    machine.driver_state = json.dumps(
        {
            "IPAddress": sshd.host,
            "SSHUser": sshd.user,
            "SSHPort": sshd.port,
            "SSHKeyPath": "id_ssh",
            "EnginePort": 1,
            "SSHHost": sshd.host,
            "MAC": "",
        }
    )
    machine.phase = Phase.READY
    files = {"id_ssh": sshd.key_path.read_bytes()}
    if engine:
        files |= {name: (engine.directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    if pinned:
        files["known_hosts"] = f"machinectl {' '.join(sshd.known().split()[1:3])}\n".encode()
    return added(store, machine, files)


def over_ssh(store: Store, sshd: Sshd) -> Machine:
    """A machine "orion" whose engine is reached over SSH only."""
    register(store, "orion", sshd)
    with store.writing("orion") as held:
        held.machine.engine = EngineOptions(ssh_only=True)
        held.machine.url, held.machine.tls = engine_url_of(held.machine, endpoints_of(held.machine)), False
        held.write()
    return store.read("orion")
