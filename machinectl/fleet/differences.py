"""Compare a host in the file with its machine's record."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, UsageError
from machinectl.fleet.fleet_keys import LABELS, settings_of
from machinectl.fleet.plan_steps import Difference
from machinectl.machines.create_options import ADDRESS, NO_PROVISION
from machinectl.machines.holders import listener_effect
from machinectl.machines.store.store_paths import now
from machinectl.machines.swarm_node import node_of
from machinectl.masking import HIDDEN, without_secret_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.driver import Option, OptionValue
    from machinectl.fleet.host_reader import FleetHost
    from machinectl.fleet.yaml_nodes import Hidden
    from machinectl.machines.record import Machine

SSH_ONLY = "ssh-only"
# Settings that need a restart; the others are for installation.
RESTARTING = frozenset(
    {
        *("engine-insecure-registry", "engine-registry-mirror", "engine-env", "engine-storage-driver", "engine-bind"),
        SSH_ONLY,
    }
)
# The certificate is signed for these: added ones need a restart, removed ones do not.
NAMES = frozenset({"tls-san", ADDRESS.name})
OPTIONS = "engine-opt"
# A reload is enough for this option.
RELOADED = "live-restore="
# Lists without an order.
UNORDERED = frozenset({"engine-insecure-registry", "engine-env", "tls-san"})
# `set --url` changes this driver option, for any driver.
URL = "url"


def differences(host: FleetHost, machine: Machine) -> Iterator[Difference]:
    """Yield what must change, except secrets: no record has them. Raises MachineError for unreadable certificates."""
    spec = host.spec
    if machine.driver != spec.driver:
        # The machine is incomplete; its driver made nothing yet.
        yield Difference("driver", machine.driver, spec.driver)
        return
    set_up = spec.provision and not machine.provision and has_ssh(machine)
    engine_is_ours = machine.has_changes or set_up
    yield from driver_differences(host, machine)
    if machine.url and not spec.engine.ssh_only and (tls := wants_tls(host, machine)) != machine.tls:
        yield Difference("no-tls", as_text(not machine.tls), as_text(not tls))
    files = host.certificates
    if files.whole:
        # It loads cryptography, which few fleets need.
        from machinectl.hosts.certificate_files import has_named_certificates

        if not has_named_certificates(machine, files):
            key, path = ("tls-dir", files.directory) if files.directory else ("tls-client-cert", files.certificate)
            yield Difference(key, "others", path)
    for label in dict.fromkeys((*machine.labels, *spec.labels)):
        if machine.labels.get(label) != spec.labels.get(label):
            texts = label_text(machine.labels, label), label_text(spec.labels, label)
            yield Difference(LABELS, *texts, engine_is_ours)
    # Most records need no reading of their engine's options.
    engine = spec.engine if machine.asks_for(spec.engine) else machine.engine
    before = settings_of(machine, engine)
    for key, new in settings_of(spec, spec.engine).items():
        removed, added = changed_items(key, before[key], new)
        if removed != added:
            restarts = set_up if key == NO_PROVISION.name else engine_is_ours and takes_restart(key, removed, added)
            effect = listener_effect(machine, now(), ssh_only=spec.engine.ssh_only) if key == SSH_ONLY else ""
            yield Difference(key, as_text(removed), as_text(added), restarts, effect)
    node = node_of(machine)
    role = node.role if node else ""
    # Without a role in the file, a machine stays in its swarm.
    if host.swarm and role != host.swarm:
        yield Difference("swarm", role, host.swarm)


def without_variables(host: FleetHost, hidden: Hidden, difference: Difference) -> Difference:
    """Show `${NAME}` instead of a variable's value."""
    key, old, new = difference.key, difference.old, difference.new
    label = (new or old).partition("=")[0] if key == LABELS else ""
    typed = host.typed.get(f"{LABELS} {label}" if label else key)
    if typed is None:
        return replace(difference, old=hidden.without(old), new=hidden.without(new))
    start = f"{label}=" if label else ""
    return replace(difference, old=old and f"{start}{HIDDEN}", new=new and f"{start}{typed}")


def has_ssh(machine: Machine) -> bool:
    try:
        where = load(machine.driver).where(Instance(machine.name, machine.directory, machine.driver_state))
    except MachineError:
        return False
    return where.ssh is not None


def as_text(value: OptionValue) -> str:
    """Return a value as in a file, without passwords."""
    if isinstance(value, bool):
        return str(value).lower()
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(str(without_secrets(item)) for item in values if item)


def driver_differences(host: FleetHost, machine: Machine) -> Iterator[Difference]:
    """Yield driver differences; an unrecorded option has its default."""
    for option in options_of(host.spec.driver):
        old, new = (options.get(option.name, option.default) for options in (machine.driver_options, host.spec.options))
        # Without its SSH key, nobody could log in at a machine that a file takes over.
        if option.secret or (option.path and new == option.default):
            continue
        if option.name == URL and machine.url:
            old, new = full_url(machine.url, None), full_url(str(new), host.spec.tls)
        if not are_same(old, new, is_path=option.path):
            old_text, new_text = (str(without_secret_of(option.name, as_text(value))) for value in (old, new))
            yield Difference(option.shown, old_text, new_text)


@functools.cache
def options_of(driver: str) -> Sequence[Option]:
    return tuple(load(driver).options())


def full_url(url: str, tls: bool | None) -> str:
    try:
        return engine_url.with_port(url, tls=tls)
    except UsageError:
        return url


def are_same(old: OptionValue, new: OptionValue, *, is_path: bool) -> bool:
    """Compare values, with ~ expanded; of two paths only the file names if the old one is relative."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return old == new
    before, after = os.path.expanduser(old), os.path.expanduser(new)
    if is_path and before and after:
        before, after = os.path.normpath(before), os.path.normpath(after)
        if not os.path.isabs(before):
            before, after = os.path.basename(before), os.path.basename(after)
    return before == after


def wants_tls(host: FleetHost, machine: Machine) -> bool:
    """Return whether TLS is needed: by the file, else as now, else by the URL."""
    if machine.tls and host.spec.tls is None and URL not in host.spec.options and machine.url.startswith("tcp://"):
        return True
    url = full_url(str(host.spec.options.get(URL, machine.url)), host.spec.tls)
    if not url.startswith("tcp://"):
        return False
    if host.spec.tls is not None:
        return host.spec.tls
    return machine.tls or host.certificates.whole or engine_url.uses_tls(url)


def label_text(labels: Mapping[str, str], key: str) -> str:
    return f"{key}={without_secret_of(key, labels[key])}" if key in labels else ""


def takes_restart(key: str, removed: OptionValue, added: OptionValue) -> bool:
    if isinstance(removed, tuple) and isinstance(added, tuple):
        if key in NAMES:
            return not set(added) <= set(removed)
        if key == OPTIONS:
            return any(not option.startswith(RELOADED) for option in (*removed, *added))
    return key in RESTARTING


def changed_items(key: str, old: OptionValue, new: OptionValue) -> tuple[OptionValue, OptionValue]:
    """Return removed and added items, or both values if only an order that matters differs."""
    if not (isinstance(old, tuple) and isinstance(new, tuple)):
        return old, new
    removed, added = tuple(item for item in old if item not in new), tuple(item for item in new if item not in old)
    return (removed, added) if removed or added or key in UNORDERED else (old, new)
