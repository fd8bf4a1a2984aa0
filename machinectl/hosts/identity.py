"""A machine's certificates, and those that are pending until its engine serves them.

MACHINE/pending/SHA256/ holds a complete set. If a run was killed, the set that works becomes the machine's: nobody is
locked out.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from functools import partial

from machinectl import engine
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import failed_probe
from machinectl.errors import RENEW, MachineError
from machinectl.files import atomic
from machinectl.files.fileset import read_regular_file
from machinectl.machines.store.store_paths import PENDING
from machinectl.machines.tls_warnings import expired_certificate
from machinectl.state import State
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import NoReturn

    from machinectl.engine import EngineQuery, Probe
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

# The docker CLI's files, and an engine's files without its CA.
CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
SERVER_FILES = ("server.pem", "server-key.pem")
# Fields of Identity, and their files.
FILES = {
    "ca": "ca.pem",
    "client": "cert.pem",
    "client_key": "key.pem",
    "ca_key": "ca-key.pem",
    "server": "server.pem",
    "server_key": "server-key.pem",
}

UNFINISHED = ".unfinished"
# Seconds to ask which set an engine serves; it normally answers in milliseconds.
PATIENCE = 5.0
# Seconds that a job may continue on a host after the connection ends: it may still install another set.
SURE_AFTER = 3600.0


class Identity(Frozen):
    """A machine's CA, server and client as PEM, b"" if missing: the CA's key may be elsewhere."""

    ca: bytes = b""
    client: bytes = b""
    client_key: bytes = b""
    ca_key: bytes = b""
    server: bytes = b""
    server_key: bytes = b""

    # Frozen's would show the keys.
    __repr__ = object.__repr__

    @classmethod
    def of_files(cls, files: dict[str, bytes]) -> Identity:
        return cls(**{part: files.get(file, b"") for part, file in FILES.items()})

    @classmethod
    def read(cls, directory: str) -> Identity:
        """Read without checks. Raises MachineError."""
        paths = {file: os.path.join(directory, file) for file in FILES.values()}
        return cls.of_files({file: read_regular_file(path) for file, path in paths.items() if os.path.lexists(path)})

    @property
    def files(self) -> dict[str, bytes]:
        """Contents by file name; b"" if missing."""
        return {file: getattr(self, part) for part, file in FILES.items()}

    @property
    def certificates(self) -> bytes:
        return self.ca + self.client + self.server

    @property
    def present(self) -> dict[str, bytes]:
        return {file: data for file, data in self.files.items() if data}

    @property
    def on_host(self) -> dict[str, bytes]:
        """The engine's files by name on the host (provision.configuration.CERTIFICATES)."""
        whole = {"ca.pem": self.ca, "server.pem": self.server + self.server_key, "server-key.pem": self.server_key}
        return {file: data for file, data in whole.items() if data}

    def keep(self, held: Held) -> None:
        """Write the files that differ, all at once.

        While a set is replaced, ca.pem is missing: docker would fail for a client that stays as it is.
        """
        before = Identity.read(held.directory)
        same_client = all(self.files[file] == before.files[file] for file in CLIENT_FILES)
        if before != self:
            held.write_files(
                {name: data for name, data in self.files.items() if not (same_client and name in CLIENT_FILES)}
            )


def store_pending(held: Held, identity: Identity) -> str:
    pending = os.path.join(held.directory, PENDING)
    path, staged = os.path.join(pending, set_name(identity)), os.path.join(pending, UNFINISHED)
    if os.path.isdir(path) and Identity.read(path) == identity:
        return path
    with atomic.Translated(path):
        atomic.make_directories(pending)
        atomic.sync_path(held.directory)
        atomic.remove_tree(staged)
        atomic.remove_tree(path)
        os.mkdir(staged, atomic.PRIVATE_DIRECTORY)
    for file, data in identity.present.items():
        atomic.replace_file(os.path.join(staged, file), data)
    with atomic.Translated(path):
        os.rename(staged, path)
        atomic.sync_path(pending)
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


def probe_any_set(
    machine: Machine, deadline: Deadline, question: EngineQuery | None = None, *, connecting_share: float = 1.0
) -> tuple[Probe, str]:
    """Try the machine's certificates, then pending ones; return the directory, too. Never raises."""
    # Imported here: many read certificates and ask no engine.
    from machinectl.machines.machine_driver import endpoint_of

    others = pending_sets(machine.directory) if machine.tls else []
    try:
        where = replace(endpoint_of(machine), connecting_share=connecting_share)
    except MachineError as exc:
        return failed_probe(exc), machine.directory
    if others:
        # An engine that is foreign by the first set may not be by another.
        where = replace(where, memory=None)
    answer = engine.probe_by(where, deadline, question)
    # If nothing answers, another set does not help. With several addresses, one of them may have answered.
    is_silent = answer.state is not State.ERROR and not where.others
    if answer.state is State.RUNNING or not machine.tls or is_silent:
        return answer, machine.directory
    for directory in others:
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
    with suppress(MachineError), store.writing(name, refuse_to_wait) as held:
        settle_pending_held(held, timeout)


def refuse_to_wait() -> NoReturn:
    raise MachineError("Another run has locked the machine")


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
    atomic.remove_tree(os.path.join(held.directory, PENDING))
