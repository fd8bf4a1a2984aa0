"""`create`: register a host with a driver, and make it a Docker host where its driver knows the way to its SSH."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.commands.certs import import_ as certs_import
from machinectl.driver import Instance, OptionValue, Request
from machinectl.errors import MachineError, UsageError
from machinectl.machines import record
from machinectl.machines.advice import advise
from machinectl.machines.chosen import waiting
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.console import Console
    from machinectl.driver import Driver
    from machinectl.hosts.onboard import Onboarding
    from machinectl.hosts.setup import Outcome


@dataclass(frozen=True)
class Certificates:
    """Where a new machine's certificates come from: a directory, or the three files that a client needs."""

    directory: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def read_whole(self) -> dict[str, bytes]:
        """The certificates, where all that a client needs is given."""
        return self.read() if self.directory or (self.ca and self.certificate and self.key) else {}

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
    """What is asked of a new machine, beside its driver's own options. `tls` False: speak to the engine without.

    `spare` are certificates for where no others are given or made. `onboarding` is how its host is made an engine
    host, where there is a way to it; None leaves the host untouched.
    """

    options: Mapping[str, OptionValue]
    certificates: Certificates = field(default_factory=Certificates)
    spare: Certificates = field(default_factory=Certificates)
    tls: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    onboarding: Onboarding | None = None


def create(store: Store, console: Console, name: str, driver_name: str, driver: Driver, wish: Wish) -> list[Outcome]:
    """Make a machine, or finish what an earlier `create` has begun; return what was done on its host.

    Nothing is made where the name, a certificate or the driver's check is wrong, and a machine on whose host nothing
    could be changed is forgotten again.
    """
    record.check_name(name)
    files = wish.certificates.read()
    if files and wish.tls is False:
        raise UsageError("--no-tls and certificates exclude each other", "Leave one of them out")
    spare = {} if files or wish.tls is False else wish.spare.read_whole()
    request = Request(name, store.directory(name), wish.options, True if files else wish.tls)
    driver.check(request)
    with store.lock(name, waiting(console, name)):
        machine = begun(store, name, driver_name) or added(store, Machine(name, driver_name), files)
        outcomes: list[Outcome] = []
        try:
            onboarding = register(machine, driver, request, wish, given=bool(files), spare=bool(spare))
            if onboarding:
                outcomes = onboarding.carry_out(store, console, machine, driver.ssh(instance(machine, request)))
            elif machine.tls:
                for filename, data in spare.items():
                    store.write_file(name, filename, data)
            machine.phase = Phase.READY
            store.write(machine)
        except BaseException:
            give_up(store, console, machine)
            raise
    store.sweep()
    if not onboarding:
        if wish.engine:
            console.warn("the --engine-… and --tls-san options are noted only: no engine was set up")
        advise(store, console, machine)
    return outcomes


def preview(store: Store, console: Console, name: str, driver_name: str, driver: Driver, wish: Wish) -> list[Outcome]:
    """What `create` would do on the host, with `wish.onboarding` as a dry run. The store is not changed either."""
    store.check_free(name)
    with tempfile.TemporaryDirectory(prefix="machinectl-") as elsewhere:
        return create(Store(elsewhere), console, name, driver_name, driver, wish)


def begun(store: Store, name: str, driver_name: str) -> Machine | None:
    """The machine that an earlier `create` left half made, to go on with. Raises MachineError where the name is taken.

    One that was killed before its driver had made anything is removed.
    """
    try:
        machine = store.read(name)
    except MachineError:
        store.check_free(name)
        return None
    if machine.phase is Phase.CREATING:
        store.remove(name)
        return None
    if machine.phase is Phase.PROVISIONING and machine.driver == driver_name:
        return machine
    store.check_free(name)
    return None


def added(store: Store, machine: Machine, files: Mapping[str, bytes]) -> Machine:
    machine.phase = Phase.CREATING
    store.add(machine, files)
    return machine


def instance(machine: Machine, request: Request) -> Instance:
    return Instance(machine.name, request.directory, machine.driver_state)


def register(
    machine: Machine, driver: Driver, request: Request, wish: Wish, *, given: bool, spare: bool
) -> Onboarding | None:
    """Let the driver make the machine, and fill in its record; the way to make its host an engine host, if any.

    `given` and `spare` say whether there are certificates that were given for it, or could be used.
    """
    machine.labels = dict(wish.labels)
    machine.engine = dict(wish.engine)
    machine.driver_state = driver.create(request)
    machine.url = driver.url(instance(machine, request))
    ssh = driver.ssh(instance(machine, request))
    onboarding = wish.onboarding if ssh else None
    if onboarding and (given or wish.tls is False):
        raise UsageError(
            "A host that is set up here gets certificates of its own",
            "Leave --tls-dir and --no-tls out, or the host as it is: --no-provision",
        )
    if ssh and not onboarding and not (given or spare) and wish.tls is None:
        # Nothing on the host is known to listen but its SSH.
        machine.url = str(engine_url.EngineURL("ssh", user=ssh.user, host=ssh.host, port=ssh.port))
    machine.tls = speaks_tls(machine.url, wish, given=given or (spare and machine.url.startswith("tcp://")))
    return onboarding


def give_up(store: Store, console: Console, machine: Machine) -> None:
    """Forget a machine whose host is as it was; of another one say how to go on."""
    if not machine.changes:
        store.remove(machine.name)
        return
    console.note(
        f'"{machine.name}" is half made. Go on: machinectl provision {machine.name}; '
        f"or take it back: machinectl rm --purge {machine.name}"
    )


def speaks_tls(url: str, wish: Wish, *, given: bool) -> bool:
    """Whether the engine is spoken to over TLS: as asked for, else as its URL says."""
    if given and not url.startswith("tcp://"):
        raise UsageError(f"Certificates are for tcp:// URLs; {url} does not use them", "Leave the --tls-… options out")
    if wish.tls is not None:
        return wish.tls and url.startswith("tcp://")
    return given or engine_url.uses_tls(url)
