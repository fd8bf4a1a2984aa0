"""Register a machine with its driver, and set up its host."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from machinectl import url as engine_url
from machinectl.driver import Request, Where
from machinectl.driver.driver_options import absolute_paths, option_flag
from machinectl.engine.endpoint import Deadline, Endpoint
from machinectl.engine.probe import ask_engine
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.hosts.certificate_files import read_named_certificates
from machinectl.hosts.login import pin_host_key
from machinectl.hosts.ssh_config import note_docker_over_ssh
from machinectl.machines import jump_hosts, machine_driver, record
from machinectl.machines.addresses import check_addresses, check_free
from machinectl.machines.record import Machine, Phase, removal_command
from machinectl.machines.selection import waiting
from machinectl.machines.spec import NO_CERTIFICATES, check_lifetime
from machinectl.machines.store.docker_machine import check_apart
from machinectl.machines.store.held_machines import forget_failure, record_failure
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.tls_warnings import advise
from machinectl.provision.decision import InUse
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.driver import Driver, SSHEndpoint
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.setup import Setup
    from machinectl.machines.spec import CertificateFiles, MachineSpec
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed

# To log in and reach the engine.
SSH_SECONDS = 10.0


@dataclass(frozen=True)
class Creation:
    """How to create a machine, and to set up its host, which needs SSH and `spec.provision`.

    `authority` replaces the machine's own CA; `touching` is called before each change of the host. `spare` certificates
    are used if no others are given or made.
    """

    name: str
    spec: MachineSpec
    driver: Driver
    login: Login
    allowed: Allowed = NOTHING_SPECIAL
    authority: Pair | None = None
    touching: Callable[[], None] = lambda: None
    certificates: CertificateFiles = NO_CERTIFICATES
    spare: CertificateFiles = NO_CERTIFICATES
    fleet: str = ""

    @property
    def setup(self) -> Setup:
        # Importing it takes 0.1 s.
        from machinectl.hosts.setup import Setup

        return Setup(self.allowed, self.authority, touching=self.touching)

    @property
    def recorded_spec(self) -> MachineSpec:
        """The spec to record: no secrets, absolute paths."""
        options = self.driver.options()
        kept = self.spec.without({option.name for option in options if option.secret})
        return replace(kept, options=absolute_paths(options, kept.options))

    def carry_out(self, store: Store, console: Console) -> CreatedMachine:
        """Create the machine, or finish an interrupted creation.

        After a failure the record stays for the next run or `rm`, unless nothing was made.
        """
        checked = CheckedCreation(store, self)
        with store.writing(self.name, waiting(console, self.name)) as held:
            if note := checked.record(held):
                console.note(note)
            try:
                ssh = checked.make_host(held)
                set_up = checked.sets_up(ssh)
                if ssh and set_up:
                    from machinectl.hosts.provisioning import provision_new_host

                    provision_new_host(held, console, self.login, self.setup, ssh)
                elif checked.spare and held.machine.tls:
                    held.write_files(checked.spare.present)
                if ssh and not set_up and (warning := pin_host_key(held, console, self.login, ssh)):
                    console.warn(warning)
                held.machine.phase = Phase.READY
                held.machine.failure = {}
                held.write()
            except InUse:
                # The caller continues later: keep the accepted host key.
                raise
            except BaseException as exc:
                forget_or_explain(held, console, exc)
                raise
            note_docker_over_ssh(store, console, held.machine)
            return CreatedMachine(held.machine, set_up)

    def plan(self, store: Store, console: Console) -> HostPlan:
        from machinectl.hosts.host_plan import HostPlan
        from machinectl.hosts.provisioning import preview_provisioning

        checked = CheckedCreation(store, self)
        machine = checked.begun or Machine(self.name, self.spec.driver, directory=store.directory(self.name))
        # No command works on it yet, so no hint may name one.
        machine.phase = Phase.CREATING
        machine.spec, machine.revision = checked.spec, {}
        checked.place(machine, checked.there)
        ssh = machine_driver.with_jump_host(machine, checked.there.ssh)
        if ssh and checked.sets_up(ssh):
            return preview_provisioning(machine, console, self.login, self.setup, store, Where(machine.url, ssh))
        if checked.there.url:
            return HostPlan((f'"{self.name}" would be registered at {machine.url}; its host is not changed',))
        return HostPlan((f'Driver {self.spec.driver} would make "{self.name}", then its host would be set up',))


class CreatedMachine(NamedTuple):
    machine: Machine
    set_up: bool


def create_machine(store: Store, console: Console, creation: Creation) -> CreatedMachine:
    """Create a machine, or finish an earlier `create`, and warn of options that had no effect."""
    made = creation.carry_out(store, console)
    sweep(store)
    if not made.set_up:
        warn_of_unused_options(console, made.machine, creation.allowed)
        advise(console, made.machine)
    elif creation.spare.certificate or creation.spare.key:
        console.warn(
            f'--tls-client-cert and --tls-client-key before create were not used: "{creation.name}" has a client '
            "certificate of its own CA"
        )
    return made


def warn_of_unused_options(console: Console, machine: Machine, allowed: Allowed = NOTHING_SPECIAL) -> None:
    """Name the options that would have had an effect if the host had been set up."""
    if flags := machine.engine.given_flags + ["--open-firewall"] * allowed.open_firewall:
        set_up = (
            Hint("Set the host up", "machinectl provision", machine.name)
            if machine_driver.endpoints_of(machine).ssh
            else NO_HINT
        )
        console.warn(f"No effect while the host is not set up: {' '.join(flags)}", set_up)


class CheckedCreation:
    """A checked creation. `begun` is what an interrupted run left, `there` where the host will be."""

    def __init__(self, store: Store, creation: Creation) -> None:
        """Raise MachineError, UsageError."""
        name, spec = creation.name, creation.spec
        record.check_name(name)
        # The machine's own name is refused later, even if a host has that name.
        jump = jump_hosts.with_type(spec.jump, lambda other: other == name or store.exists(other))
        self.creation, self.spec, self.driver = creation, replace(spec, jump=jump), creation.driver
        self.given = read_named_certificates(creation.certificates)
        no_spare = self.given or spec.tls is False or not creation.spare.whole
        self.spare = None if no_spare else read_named_certificates(creation.spare)
        self.begun = unfinished_machine(store, creation)
        if self.begun is None:
            check_apart(store.root)
        state = self.begun.driver_state if self.begun else ""
        tls = True if self.given else spec.tls
        self.request = Request(name, store.directory(name), spec.options, tls, state)
        self.check(store)

    def check(self, store: Store) -> None:
        spec, machine = self.spec, Machine(self.creation.name, self.spec.driver, directory=self.request.directory)
        check_lifetime(spec.lifetime)
        if self.given and spec.tls is False:
            raise UsageError("--no-tls and certificates exclude each other", Hint("Omit one of them"))
        if self.given and spec.engine.ssh_only:
            raise UsageError(
                "An engine that is reached over SSH only has no certificates",
                Hint("Omit --ssh-only or the --tls-… options"),
            )
        self.driver.check(self.request)
        self.there = self.driver.preview(self.request)
        has_no_ssh = self.there.url and not self.there.ssh
        if spec.engine.ssh_only and has_no_ssh:
            raise machine_driver.without_ssh(machine, machine_driver.SSH_ONLY, "--ssh-only")
        if spec.jump:
            machine.jump = spec.jump
            machine_driver.jump_host_of(machine)
            if has_no_ssh:
                raise machine_driver.without_ssh(machine, machine_driver.JUMP_HOST, "--ssh-jump")
        # A host that does not exist yet will be set up.
        if not has_no_ssh:
            self.check_set_up()
        if spec.addresses:
            machine.phase, machine.spec = Phase.CREATING, spec
            self.place(machine, self.there)
            # A driver that makes the host does not know its URL yet.
            if machine.url:
                check_addresses(machine)
                check_free(store, machine)

    def check_set_up(self) -> None:
        """Raise UsageError if --no-tls or certificates without their CA's key exclude the requested set-up."""
        cannot_sign = self.given is not None and not self.given.ca_key
        if self.spec.provision and not self.spec.engine.ssh_only and (cannot_sign or self.spec.tls is False):
            raise UsageError(
                "Setting up a host needs the key of its CA: its own new CA, or that of the computer that set it up",
                Hint("Pass --tls-dir a copy of that computer's directory for the machine, with ca-key.pem")
                | Hint("or omit --tls-dir and --no-tls")
                | Hint("or do not change the host: --no-provision"),
            )

    def sets_up(self, ssh: SSHEndpoint | None) -> bool:
        """Return whether the host will be set up. Raises UsageError."""
        if ssh:
            self.check_set_up()
        return self.spec.provision and ssh is not None

    def place(self, machine: Machine, there: Where) -> None:
        """Set the machine's URL, and whether its engine uses TLS. Raises UsageError for certificates without TLS."""
        asked, given = self.spec.tls, bool(self.given)
        machine.url = machine_driver.engine_url_of(machine, there) if self.spec.provision else there.url
        if there.ssh and not (self.sets_up(there.ssh) or given or self.spare or asked is not None):
            # Only its SSH is known to listen on the host.
            machine.url = machine_driver.ssh_url(there.ssh)
        url, is_tcp = machine.url, machine.url.startswith("tcp://")
        if given and url and not is_tcp:
            raise UsageError(
                f"Certificates are for tcp:// URLs; {url} does not use them", Hint("Omit the --tls-… options")
            )
        if asked is not None:
            machine.tls = asked and is_tcp
        else:
            # Without a URL yet, setting up enables TLS.
            machine.tls = not url or given or (is_tcp and bool(self.spare)) or engine_url.uses_tls(url)

    def record(self, held: Held) -> str:
        """Add the machine, or update an unfinished one. Return `Held.add`'s note."""
        creation = self.creation
        files = self.given.present if self.given else {}
        spec = replace(creation.recorded_spec, jump=self.spec.jump)
        if unfinished_machine(held.store, creation):
            # As of a new machine, what the host remembers is taken over again.
            held.machine.spec, held.machine.revision = spec, {}
            held.machine.fleet = creation.fleet or held.machine.fleet
            held.write_files(files)
            held.write()
            return ""
        machine = Machine(creation.name, spec.driver)
        machine.phase, machine.spec, machine.fleet = Phase.CREATING, spec, creation.fleet
        return held.add(machine, files)

    def make_host(self, held: Held) -> SSHEndpoint | None:
        """Let the driver make the host; return its SSH."""
        machine = held.machine

        def keep(state: str) -> None:
            machine.driver_state = state
            machine.made = True
            held.write()

        request = replace(self.request, state=machine.driver_state)
        machine.driver_state = self.driver.create(request, keep)
        held.write()
        there = self.driver.where(machine_driver.driver_instance(machine))
        self.place(machine, there)
        held.write()
        return machine_driver.with_jump_host(machine, there.ssh)


def try_ssh_url(store: Store, creation: Creation) -> None:
    """Ask the engine of an ssh:// URL, as docker does. Raises MachineError."""
    there = CheckedCreation(store, creation).there
    if creation.spec.provision and there.url.startswith("ssh://") and not there.ssh:
        set_up = f"machinectl create {shlex.quote(there.url.removeprefix('ssh://'))} {creation.name}"
        ask_engine(Endpoint(there.url, name=creation.name, setup=set_up), Deadline(SSH_SECONDS), None)


def unfinished_machine(store: Store, creation: Creation) -> Machine | None:
    """Return what an interrupted `create` left. Raises MachineError if the name is in use."""
    name, driver = creation.name, creation.spec.driver
    try:
        machine = store.read(name)
    except MachineError:
        store.check_free(name)
        return None
    is_another = machine.driver != driver and machine.driver_state
    if machine.phase == Phase.READY or record.waits_for_access(machine) or is_another:
        store.check_free(name)
    if machine.options and (machine.changes or machine.made):
        check_same_options(machine, creation)
    return machine


def check_same_options(machine: Machine, creation: Creation) -> None:
    """Refuse other driver options: they would mean another host."""
    asked = creation.recorded_spec.options
    flags = {option.name: option_flag(option) for option in creation.driver.options()}
    other = [flags[name] for name, value in machine.spec.options.items() if asked.get(name) != value]
    if other:
        purge = " --purge" if machine.changes else ""
        raise MachineError(
            f'"{machine.name}" is incomplete, and was created with another {" and ".join(other)}',
            Hint("Use the same value, or remove the machine first", f"machinectl rm{purge} {machine.name}"),
        )


def forget_or_explain(held: Held, console: Console, why: BaseException) -> None:
    """Forget the machine if nothing was made or changed, else say how to continue."""
    machine = held.machine
    if not machine.changes and not machine.made:
        held.remove()
        return
    if isinstance(why, MachineError):
        record_failure(held, why.cause)
    else:
        forget_failure(held, complete=False)
    go_on = Hint("Type the same command again")
    if machine.phase == Phase.PROVISIONING:
        go_on = Hint("Continue", "machinectl provision", held.name)
    console.note(f'"{held.name}" is incomplete', go_on | Hint("or remove it", removal_command(machine)))
