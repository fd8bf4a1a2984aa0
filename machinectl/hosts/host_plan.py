"""The target of a host, the facts found there, and the decision of each step."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import Hint
from machinectl.hosts.holder_cas import ending_cas, trusted_cas
from machinectl.machines.holders import valid_holders
from machinectl.machines.record import Phase
from machinectl.machines.store.store_paths import now
from machinectl.masking import without_secret
from machinectl.provision import firewall
from machinectl.provision.host_changes import CaTrusted, of_kind
from machinectl.provision.target import INSTALL_URL, Target, with_changes
from machinectl.quantities import plural

if TYPE_CHECKING:
    from machinectl.hosts.identity import Identity
    from machinectl.machines.record import Machine
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed
    from machinectl.ssh.runner import Runner
    from machinectl.ssh.session import SSHSession


@dataclass(frozen=True)
class Outcome:
    """A step's result, in a dry run the expected one."""

    title: str
    changed: bool
    details: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        """Return JSON fields."""
        return {"Title": self.title, "Details": list(self.details)}


@dataclass(frozen=True)
class HostPlan:
    found: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def login_summary(session: SSHSession, root: Runner) -> str:
    from machinectl.ssh.sudo import Root

    return f"Logged in as {session.user}" + (f", who becomes root by {root.program}" if isinstance(root, Root) else "")


def host_summary(host: Facts, port: int, *, ssh_only: bool = False, allowed: Allowed | None = None) -> tuple[str, ...]:
    """Describe a host; `allowed` if the command has --open-firewall."""
    engine = f"Docker Engine {host.version or '(unknown version)'} ({host.dockerd})"
    running = "running" if host.running else "not running"
    rule, opens = firewall.blocking(host, port), ""
    if rule:
        opens = f"open it: {rule.allow}{' (or --open-firewall)' if allowed else ''}"
        opens = "--open-firewall opens it" if allowed and allowed.open_firewall else opens
    return (
        f"System: {host.os_name}, {host.arch}, {host.init or 'unknown service manager'}",
        f"{engine}, {running}, {plural(len(host.containers), 'container')}" if host.dockerd else "No engine",
        "Network: the engine listens on no port; SSH leads to it"
        if ssh_only
        else f"Firewall: {rule.firewall} blocks port {port}; {opens}"
        if rule
        else f"Firewall: nothing is seen in the way of port {port}",
    )


def with_diff(host: Facts, decision: Decision) -> tuple[str, ...]:
    """Return a decision's details, with daemon.json's diff."""
    return (*decision.details, *config_diff(host, decision))


def config_diff(host: Facts, decision: Decision) -> tuple[str, ...]:
    """Return daemon.json's unified diff, without secrets."""
    path = host.config_path
    if decision.job.content_of(path) is None:
        return ()
    # What stays: a job may write another text for a reload.
    old, new = host.config_content or b"", decision.after.config_content or b""
    before, after = (without_secret(text.decode(errors="replace")).splitlines() for text in (old, new))
    return tuple(difflib.unified_diff(before, after, path, path, lineterm=""))


def target_of(machine: Machine, identity: Identity | None = None, url: str = "") -> Target:
    """Return the target, by default at the machine's URL. Raises UsageError."""
    where = engine_url.parse_url(url or machine.url)
    asked = machine.engine
    asked.check()
    target = Target(
        address=where.host,
        port=engine_url.engine_port(url or machine.url),
        bind=asked.bind,
        ssh_only=asked.ssh_only,
        name=machine.name if machine.phase == Phase.READY or machine.changes else "",
        jump=bool(machine.jump),
        certificates=identity.on_host if identity else {},
        own_cas=frozenset(change.sha256 for change in of_kind(machine.changes, CaTrusted)),
        holders=trusted_cas(machine),
        holder_names={holder.ca: holder.who for holder in valid_holders(machine, now())},
        ending=ending_cas(machine),
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


def correction(machine: Machine, host: Facts) -> Hint:
    """Return the commands that correct what dockerd complains of."""
    on_host = f"in {host.config_path} on the host"
    if machine.phase is not Phase.READY and not machine.changes:
        return Hint(f"Correct the option that it names, or the setting {on_host}, then run the same command again")
    if machine.fleet:
        # A fleet without a name has its file's path.
        file = machine.fleet if os.path.isabs(machine.fleet) else "<FILE>"
        return Hint(f"Correct it in the fleet file or {on_host}, then", "machinectl apply -f", file, machine.name)
    settings = Hint(f"Correct it {on_host}, or in its settings", "machinectl set", machine.name, "--help")
    return settings | Hint("then apply it", "machinectl provision", machine.name)
