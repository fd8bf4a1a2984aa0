"""Keep new certificates pending until the engine serves them.

MACHINE/pending/SHA256/ holds a complete set. If a run was killed, the set that works becomes the machine's: nobody is
locked out.
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial

from machinectl import engine
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import failed_probe
from machinectl.errors import RENEW, MachineError
from machinectl.files.atomic import (
    PRIVATE_DIRECTORY,
    Translated,
    make_directories,
    remove_tree,
    replace_file,
    sync_path,
)
from machinectl.hosts.identity import CLIENT_FILES, Identity
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.store.store_paths import PENDING
from machinectl.machines.tls_warnings import expired_certificate
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import NoReturn

    from machinectl.engine import Endpoint, EngineQuery, Probe
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

UNFINISHED = ".unfinished"
# Seconds to ask which set an engine serves; it normally answers in milliseconds.
PATIENCE = 5.0
# Seconds that a job may continue on a host after the connection ends: it may still install another set.
SURE_AFTER = 3600.0


class Busy(Exception):
    """Another run has locked the machine."""


def store_pending(held: Held, identity: Identity) -> str:
    pending = os.path.join(held.directory, PENDING)
    path, staged = os.path.join(pending, set_name(identity)), os.path.join(pending, UNFINISHED)
    if os.path.isdir(path) and Identity.read(path) == identity:
        return path
    with Translated(path):
        make_directories(pending)
        sync_path(held.directory)
        remove_tree(staged)
        remove_tree(path)
        os.mkdir(staged, PRIVATE_DIRECTORY)
    for file, data in identity.present.items():
        replace_file(os.path.join(staged, file), data)
    with Translated(path):
        os.rename(staged, path)
        sync_path(pending)
    return path


def set_name(identity: Identity) -> str:
    return hashlib.sha256(b"".join(identity.files.values())).hexdigest()


def pending_sets(directory: str) -> list[str]:
    """Return sets that the engine may serve, newest first."""
    pending = os.path.join(directory, PENDING)
    try:
        names = [name for name in os.listdir(pending) if name != UNFINISHED]
        own = set_name(Identity.read(directory))
    except (OSError, MachineError):
        return []
    paths = [os.path.join(pending, name) for name in names if name != own]
    whole = [path for path in paths if all(os.path.isfile(os.path.join(path, file)) for file in CLIENT_FILES)]
    return sorted(whole, key=os.path.getmtime, reverse=True)


def unsettled_endpoint(machine: Machine) -> Endpoint:
    """Return the machine's endpoint; with pending sets, an engine that is foreign by the first is not said to be."""
    where = endpoint_of(machine)
    return replace(where, memory=None) if machine.tls and pending_sets(machine.directory) else where


def probe_any_set(
    machine: Machine, deadline: Deadline, question: EngineQuery | None = None, *, connecting_share: float = 1.0
) -> tuple[Probe, str]:
    """Try the machine's certificates, then pending ones; return the directory, too. Never raises."""
    try:
        where = replace(unsettled_endpoint(machine), connecting_share=connecting_share)
    except MachineError as exc:
        return failed_probe(exc), machine.directory
    answer = engine.probe_by(where, deadline, question)
    # If nothing answers, another set does not help. With several addresses, one of them may have answered.
    is_silent = answer.state is not State.ERROR and not where.others
    if answer.state is State.RUNNING or not machine.tls or is_silent:
        return answer, machine.directory
    for directory in pending_sets(machine.directory):
        other = engine.probe_by(replace(where, cert_dir=directory), deadline, question)
        if other.state is State.RUNNING:
            return other, directory
    if expired := expired_certificate(machine):
        answer = replace(answer, error=expired.cause, hint=expired.hint, leads_to=RENEW)
    return answer, machine.directory


def ask_machines(machines: Mapping[str, Machine], timeout: float, question: EngineQuery) -> Iterator[tuple[str, Probe]]:
    """Ask engines in parallel, each with any set that it serves."""

    def ask(machine: Machine, deadline: Deadline) -> Probe:
        return probe_any_set(machine, deadline, question)[0]

    asks = {name: partial(ask, machine) for name, machine in machines.items()}
    return engine.ask_all(asks, timeout, lambda name: machines[name].url)


def settle_pending(store: Store, name: str, timeout: float = PATIENCE) -> None:
    """Adopt the pending set that the engine serves, unless the machine is locked or the store read-only."""
    if not store.is_unsettled(name):
        return
    try:
        with store.writing(name, raise_busy) as held:
            settle_pending_held(held, timeout)
    except (Busy, MachineError):
        return


def raise_busy() -> NoReturn:
    raise Busy


def settle_pending_held(held: Held, timeout: float = PATIENCE, *, sure: bool = False) -> None:
    """With `sure` (no job left on the host), also discard the others."""
    if not held.store.is_unsettled(held.name):
        return
    held.finish_files()
    answer, directory = probe_any_set(held.machine, Deadline(timeout))
    if answer.state is not State.RUNNING:
        return
    if directory != held.directory:
        before = Identity.read(held.directory)
        if before.client:
            store_pending(held, before)
        Identity.read(directory).keep(held)
    if sure or time.time() - os.path.getmtime(os.path.join(held.directory, PENDING)) > SURE_AFTER:
        discard_pending(held)


def discard_pending(held: Held) -> None:
    remove_tree(os.path.join(held.directory, PENDING))
