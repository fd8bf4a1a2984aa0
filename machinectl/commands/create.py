"""`create`: register a host with a driver and put its certificates into the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import machine as record
from machinectl import url as engine_url
from machinectl.commands import certs_import
from machinectl.commands.advice import advise
from machinectl.commands.naming import waiting
from machinectl.driver import Instance, OptionValue, Request
from machinectl.errors import MachineError, UsageError
from machinectl.machine import Machine, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.console import Console
    from machinectl.driver import Driver
    from machinectl.store import Store


@dataclass(frozen=True)
class Certificates:
    """Where a new machine's certificates come from: a directory, or the three files that a client needs."""

    directory: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def or_else(self, others: Certificates) -> Certificates:
        """These, or where none of them is given the others, if those are all that a client needs."""
        complete = others.ca and others.certificate and others.key
        return others if complete and self == Certificates() else self

    def read(self) -> dict[str, bytes]:
        """The certificates by their name in the machine's directory, checked; none where none was given."""
        if self.directory and (self.ca or self.certificate or self.key):
            raise UsageError("--tls-dir and the --tls-… files exclude each other", "Give the directory alone")
        if self.directory:
            return certs_import.read_tls_dir(self.directory)
        if self.ca and self.certificate and self.key:
            return certs_import.read_tls_files(self.ca, self.certificate, self.key)
        if self.ca or self.certificate or self.key:
            raise UsageError(
                "A client needs its certificate, its key and the CA of the engine",
                "Give all of --tls-ca-cert, --tls-client-cert and --tls-client-key, or --tls-dir",
            )
        return {}


@dataclass(frozen=True)
class Wish:
    """What is asked of a new machine, beside its driver's own options. `tls` False: speak to the engine without."""

    options: Mapping[str, OptionValue]
    certificates: Certificates = field(default_factory=Certificates)
    tls: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)


def create(store: Store, console: Console, name: str, driver_name: str, driver: Driver, wish: Wish) -> Machine:
    """Make a machine and return it. Nothing is made where the name, a certificate or the driver's check is wrong."""
    record.check_name(name)
    files = wish.certificates.read()
    if files and wish.tls is False:
        raise UsageError("--no-tls and certificates exclude each other", "Leave one of them out")
    request = Request(name, store.directory(name), wish.options, True if files else wish.tls)
    driver.check(request)
    with store.lock(name, waiting(console, name)):
        remove_half_made(store, name)
        store.check_free(name)
        machine = Machine(name, driver_name)
        machine.labels = dict(wish.labels)
        machine.engine = dict(wish.engine)
        machine.phase = Phase.CREATING
        store.add(machine, files)
        try:
            machine.driver_state = driver.create(request)
            machine.url = driver.url(Instance(name, request.directory, machine.driver_state))
            machine.tls = speaks_tls(machine.url, wish, given=bool(files))
        except BaseException:
            store.remove(name)
            raise
        machine.phase = Phase.READY
        store.write(machine)
    store.sweep()
    if machine.engine:
        console.warn("the --engine-… and --tls-san options are noted only: this driver does not set up an engine")
    advise(store, console, machine)
    return machine


def remove_half_made(store: Store, name: str) -> None:
    """Make room where an earlier `create` of this name was killed; what is ready, or broken, stays."""
    try:
        if store.read(name).phase is Phase.CREATING:
            store.remove(name)
    except MachineError:
        return


def speaks_tls(url: str, wish: Wish, *, given: bool) -> bool:
    """Whether the engine is spoken to over TLS: as asked for, else as its URL says."""
    if given and not url.startswith("tcp://"):
        raise UsageError(f"Certificates are for tcp:// URLs; {url} does not use them", "Leave the --tls-… options out")
    if wish.tls is not None:
        return wish.tls and url.startswith("tcp://")
    return given or engine_url.uses_tls(url)
