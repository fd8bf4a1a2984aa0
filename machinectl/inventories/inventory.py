"""`inventory`: machines for Ansible and Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.errors import Hint, MachineError
from machinectl.inventories import ansible_export as ansible
from machinectl.inventories import prometheus
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def ansible_inventory(store: Store, console: Console) -> dict[str, Any]:
    """Answer --list of an inventory script."""
    found, known = [], {}
    for machine in machines_to_list(store, console):
        if machine.phase == Phase.CREATING:
            console.warn(f"{machine.name} is left out: it is incomplete")
            continue
        try:
            known[machine.name] = ansible.host_variables(machine)
        except MachineError as exc:
            console.warn(f"{machine.name} is left out: {exc.cause}")
            continue
        found.append(machine)
    with_ssh = [name for name, variables in known.items() if "ansible_host" in variables]
    groups = {name: {"hosts": hosts} for name, hosts in ansible.inventory_groups(found, with_ssh).items()}
    return {**groups, "_meta": {"hostvars": known}}


def ansible_host(store: Store, name: str) -> dict[str, Any]:
    """Answer --host of an inventory script."""
    return ansible.host_variables(store.read(name))


def prometheus_targets(store: Store, console: Console) -> list[dict[str, Any]]:
    """Return engines with reachable metrics, for file_sd."""
    found = []
    for machine in machines_to_list(store, console):
        try:
            entry = prometheus.scrape_target(machine)
        except MachineError as exc:
            console.warn(f"{machine.name} is left out: {exc.cause}", exc.hint)
            continue
        if entry:
            found.append(entry)
    if not found:
        console.note(
            "No machine has metrics that Prometheus can reach: each needs the engine option metrics-addr",
            Hint("Set it", "machinectl set --engine-opt", f"{prometheus.METRICS}={prometheus.ANY}:9323", "<NAME>"),
        )
    return found


def machines_to_list(store: Store, console: Console) -> Iterator[Machine]:
    """Warn about unreadable records, except docker-machine's."""
    for name in store.names():
        try:
            yield store.read(name)
        except MachineError as exc:
            if not store.is_docker_machines(name):
                console.warn(f"{name} is left out: {exc.cause}")
