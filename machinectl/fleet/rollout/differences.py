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
from machinectl.fleet.fleet_keys import LABELS
from machinectl.fleet.rollout.plan_steps import Difference
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS
from machinectl.machines.holders import listener_effect
from machinectl.machines.store.store_paths import now
from machinectl.machines.swarm_node import node_of
from machinectl.masking import HIDDEN, without_secret_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from machinectl.driver import Driver, Option, OptionValue
    from machinectl.fleet.file_errors import Hidden
    from machinectl.fleet.fleet_model import FleetHost
    from machinectl.machines.flags import Flag
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles

    # Whether a machine has these certificates; for None, a new machine, only check the files. Raises MachineError
    # for wrong files, BrokenRecord for the machine's own.
    HasCertificates = Callable[[Machine | None, CertificateFiles], bool]

# Options that need a restart; the others are for installation.
RESTARTING = frozenset(
    {"options", "insecure_registries", "registry_mirrors", "env", "storage_driver", "bind", "ssh_only"}
)
# Added names need a restart; removed ones do not.
NAMES = "tls_sans"
SSH_ONLY = "ssh_only"
# A reload is enough for this option.
RELOADED = "live-restore="
# Lists without an order.
UNORDERED = frozenset({"insecure_registries", "env", NAMES})
# `set --url` changes this driver option, for any driver.
URL = "url"


def differences(host: FleetHost, machine: Machine, has_certificates: HasCertificates) -> Iterator[Difference]:
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
        yield switched("no-tls", old=not machine.tls, new=not tls)
    files = host.certificates
    if files.whole and not has_certificates(machine, files):
        key, path = ("tls-dir", files.directory) if files.directory else ("tls-client-cert", files.certificate)
        yield Difference(key, "others", path)
    yield from label_differences(machine.labels, spec.labels, restarts=engine_is_ours)
    yield from engine_differences(host, machine, engine_is_ours=engine_is_ours)
    if machine.provision != spec.provision:
        yield switched("no-provision", old=not machine.provision, new=not spec.provision, restarts=set_up)
    if machine.context != spec.context:
        yield switched("no-context", old=not machine.context, new=not spec.context)
    yield from address_differences(host, machine, restarts=engine_is_ours)
    if machine.lifetime != spec.lifetime:
        yield Difference(ACCESS_LIFETIME.name, machine.lifetime, spec.lifetime)
    if machine.jump != spec.jump:
        yield Difference("ssh-jump", machine.jump, spec.jump)
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
        there = load(machine.driver).where(Instance(machine.name, machine.directory, machine.driver_state))
    except MachineError:
        return False
    return there.ssh is not None


def switched(key: str, *, old: bool, new: bool, restarts: bool = False) -> Difference:
    return Difference(key, as_text(old), as_text(new), restarts)


def as_text(value: OptionValue) -> str:
    """Return a value as in a file, without passwords."""
    if isinstance(value, bool):
        return str(value).lower()
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(str(without_secrets(one)) for one in values if one)


def driver_differences(host: FleetHost, machine: Machine) -> Iterator[Difference]:
    """Yield driver differences; an unrecorded option has its default."""
    known = machine.driver_options
    for option in options_of(host.spec.driver):
        if option.secret:
            continue
        old, new = known.get(option.name, option.default), host.spec.options.get(option.name, option.default)
        if option.path and new == option.default:
            # Without its SSH key, nobody could log in at a machine that a file takes over.
            continue
        if option.name == URL and machine.url:
            old, new = full_url(machine.url, None), full_url(str(new), host.spec.tls)
        if not are_same(old, new, is_path=option.path):
            old_text, new_text = (str(without_secret_of(option.name, as_text(value))) for value in (old, new))
            yield Difference(option.shown, old_text, new_text)


def options_of(driver: str) -> Sequence[Option]:
    return made_options(load(driver))  # type: ignore[arg-type] # any object is hashable


@functools.lru_cache(maxsize=16)
def made_options(driver: Driver) -> Sequence[Option]:
    return tuple(driver.options())


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


def label_differences(old: Mapping[str, str], new: Mapping[str, str], *, restarts: bool) -> Iterator[Difference]:
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield Difference("labels", label_text(old, key), label_text(new, key), restarts)


def label_text(labels: Mapping[str, str], key: str) -> str:
    return f"{key}={without_secret_of(key, labels[key])}" if key in labels else ""


def address_differences(host: FleetHost, machine: Machine, *, restarts: bool) -> Iterator[Difference]:
    old, new = tuple(machine.addresses), host.spec.addresses
    if old != new:
        removed, added = changed_items(ADDRESS, old, new)
        # Only a further name in the certificate needs a restart.
        yield Difference(ADDRESS.name, as_text(removed), as_text(added), restarts and not set(new) <= set(old))


def engine_differences(host: FleetHost, machine: Machine, *, engine_is_ours: bool) -> Iterator[Difference]:
    """Yield engine differences; for a list, only removed and added items."""
    if machine.asks_for(host.spec.engine):
        return
    asked, wanted = machine.engine, host.spec.engine
    for option in ENGINE_FLAGS:
        old, new = getattr(asked, option.key), getattr(wanted, option.key)
        if old == new or (option.key in UNORDERED and set(old) == set(new)):
            continue
        removed, added = changed_items(option, old, new)
        restarts = engine_is_ours and takes_restart(option, removed, added)
        effect = listener_effect(machine, now(), ssh_only=wanted.ssh_only) if option.key == SSH_ONLY else ""
        yield Difference(option.flag.removeprefix("--"), as_text(removed), as_text(added), restarts, effect)


def takes_restart(option: Flag, removed: OptionValue, added: OptionValue) -> bool:
    if option.key == NAMES:
        return bool(added)
    if isinstance(removed, tuple) and isinstance(added, tuple) and option.key == "options":
        return any(not each.startswith(RELOADED) for each in (*removed, *added))
    return option.key in RESTARTING


def changed_items(option: Flag, old: OptionValue, new: OptionValue) -> tuple[OptionValue, OptionValue]:
    """Return removed and added items, or both values if only the order differs."""
    if not (option.many and isinstance(old, tuple) and isinstance(new, tuple)):
        return old, new
    removed, added = tuple(one for one in old if one not in new), tuple(one for one in new if one not in old)
    return (removed, added) if removed or added else (old, new)
