"""Convert a machine's record into a provisioning target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.host_changes import CaTrusted, of_kind
from machinectl.provision.target import INSTALL_URL, Target, with_changes

if TYPE_CHECKING:
    from machinectl.hosts.certificates.identity import Identity
    from machinectl.machines.record import Machine


def target_of(machine: Machine, identity: Identity, url: str = "") -> Target:
    """Return the target, by default at the machine's URL. Raises UsageError."""
    where = engine_url.parse_url(url or machine.url)
    asked = machine.engine
    asked.check()
    target = Target(
        address=where.host,
        port=where.port or engine_url.TLS_PORT,
        bind=asked.bind,
        jump=bool(machine.jump),
        certificates=identity.on_host,
        own_cas=frozenset(change.sha256 for change in of_kind(machine.changes, CaTrusted)),
        install=asked.install or "auto",
        install_url=asked.install_url or INSTALL_URL,
        version=asked.version,
        os=asked.os,
        options=asked.options,
        labels=machine.labels,
        env=asked.env,
        insecure_registries=asked.insecure_registries,
        registry_mirrors=asked.registry_mirrors,
        storage_driver=asked.storage_driver,
    )
    return with_changes(target, machine.changes)
