"""A machine's driver, endpoints and jump hosts."""

from __future__ import annotations

import os

from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.machines import jump_hosts
from machinectl.machines.record import (
    GRANTED,
    Phase,
    ask_owner,
    check_ready,
    owner_of,
    removal_command,
    request_command,
    waits_for_access,
)
from machinectl.machines.store import Store
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.machines.tls_warnings import makes_certificates, repair_hint
from machinectl.ssh.destination import Jump
from machinectl.url import EngineURL, with_host
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.driver import Driver, SSHEndpoint, Where
    from machinectl.engine import Endpoint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held


KNOWN_HOSTS = "known_hosts"
# How errors name the settings that need SSH.
JUMP_HOST, SSH_ONLY = "A jump host", "An engine without a listener"


def driver_instance(machine: Machine) -> Instance:
    return Instance(machine.name, machine.directory, machine.driver_state)


def driver_of(machine: Machine) -> Driver:
    """Raise MachineError if creation was interrupted, DriverError if loading fails."""
    if waits_for_access(machine):
        check_ready(machine)
    if machine.phase == Phase.CREATING:
        raise MachineError(
            f'The creation of "{machine.name}" was interrupted: nothing is known of its host',
            Hint("Create it again, or remove it", removal_command(machine)),
        )
    return load(machine.driver)


def endpoints_of(machine: Machine) -> Where:
    """Add the record's jump host."""
    there = driver_of(machine).where(driver_instance(machine))
    return replace(there, ssh=with_jump_host(machine, there.ssh))


def engine_url_of(machine: Machine, there: Where) -> str:
    """Return where the engine is, or will be once the host is set up."""
    ssh = there.ssh
    if ssh is None or not machine.engine.ssh_only:
        return there.url
    return ssh_url(ssh)


def ssh_url(ssh: SSHEndpoint) -> str:
    return str(EngineURL("ssh", user=ssh.user, host=ssh.host, port=ssh.port))


def with_jump_host(machine: Machine, ssh: SSHEndpoint | None) -> SSHEndpoint | None:
    return replace(ssh, jump=jump_host_of(machine)) if ssh and machine.jump else ssh


def jump_host_of(machine: Machine) -> Jump | None:
    """Raise UsageError if invalid, MachineError if its machine is missing, unreadable, without SSH, or in a loop."""
    return resolve_jump_host(machine, known_hosts_path(machine), (machine.name,)) if machine.jump else None


def resolve_jump_host(machine: Machine, pins: str, passed: tuple[str, ...]) -> Jump:
    """`pins` is the default known_hosts file; `passed` are the machines so far."""
    from machinectl.ssh.ssh_settings import jump_host

    pins = pins if os.path.exists(pins) else ""
    name = jump_hosts.machine_of(machine.jump)
    if not name:
        return Jump(jump_host(jump_hosts.host_of(machine.jump)), pins)
    store = Store(os.path.dirname(os.path.dirname(machine.directory)))
    # The command that chooses a host of that name, for an existing or a new machine.
    choose = f"--ssh-jump {jump_hosts.HOST}{name}"
    choose = f"machinectl set {choose} {machine.name}" if store.exists(machine.name) else choose
    if name in passed:
        loop = list(passed[passed.index(name) :])
        hint = Hint("Break the loop", "machinectl set --ssh-jump none", loop[-1])
        if name == machine.name:
            hint = Hint("If another host has that name", choose)
        raise MachineError(jump_hosts.loop_text(loop), hint)
    try:
        gate = store.read(name)
    except NoSuchMachine as exc:
        raise MachineError(
            f'The jump host of "{machine.name}" is the machine "{name}", which does not exist',
            Hint("If you mean a host of that name", choose) | Hint("See the machines", "machinectl ls"),
        ) from exc
    ssh = driver_of(gate).where(driver_instance(gate)).ssh
    if ssh is None:
        raise MachineError(
            f'"{gate.name}" cannot be a jump host: driver "{gate.driver}" gives no SSH address for it',
            Hint("Choose another one", "machinectl set --ssh-jump <HOST>", machine.name),
        )
    own = known_hosts_path(gate)
    is_pinned = os.path.exists(own)
    before = resolve_jump_host(gate, own if is_pinned else pins, (*passed, gate.name)) if gate.jump else None
    endpoint = replace(at_last_address(gate, ssh), jump=before)
    return Jump(endpoint, own if is_pinned else pins, gate.name if is_pinned else "")


def known_hosts_path(machine: Machine) -> str:
    return os.path.join(machine.directory, KNOWN_HOSTS)


def ssh_endpoint(machine: Machine) -> SSHEndpoint:
    """Raise MachineError if there is none."""
    check_ssh_not_withheld(machine)
    endpoint = endpoints_of(machine).ssh
    if endpoint is None:
        raise MachineError(
            f'"{machine.name}" has no SSH: driver "{machine.driver}" gives no SSH address for it',
            Hint("Register its host with a driver that does", "machinectl create <USER>@<HOST> <NAME>"),
        )
    return endpoint


def check_ssh_not_withheld(machine: Machine, otherwise: Hint = NO_HINT) -> None:
    """Refuse a machine of which somebody else shared only the engine; `otherwise` is one more hint."""
    if machine.access.get("state") == GRANTED and endpoints_of(machine).ssh is None:
        by = owner_of(machine)
        raise MachineError(
            f'"{machine.name}" has no SSH here: {by} shared only its engine',
            Hint(f"Ask {by}, who can log in to its host") | otherwise,
        )


def ssh_or_none(machine: Machine) -> SSHEndpoint | None:
    try:
        return endpoints_of(machine).ssh
    except MachineError:
        return None


def without_ssh(machine: Machine, what: str, flag: str) -> UsageError:
    return UsageError(
        f'{what} needs SSH, but driver "{machine.driver}" gives no SSH address for "{machine.name}"',
        Hint(f"Omit {flag}, or use a driver that does", "machinectl create <USER>@<HOST> <NAME>"),
    )


def save_driver_state(held: Held, driver: Driver, state: str) -> None:
    """Record a driver's state and the engine's URL."""
    machine = held.machine
    if state == machine.driver_state:
        return
    machine.driver_state = state
    # Before anything else that may fail.
    held.write()
    now = driver.where(driver_instance(machine)).url
    # If the engine is reachable only over SSH, the driver's URL is not in use.
    if now and now != machine.url and not machine.url.startswith("ssh://"):
        machine.url = now
        held.write()


def flag_of_set(machine: Machine, what: str) -> str:
    """Return the option of `set` for `ssh-port` or `ssh-key`, "" with a jump host, which may need the change."""
    known = () if machine.jump else driver_of(machine).options()
    return next((f"--{each.shown}" for each in known if each.name == f"{machine.driver}-{what}"), "")


def endpoint_of(machine: Machine, url: str = "") -> Endpoint:
    """`url` is the engine's future one. Raise MachineError for ssh:// if the jump host is unknown."""
    url, tls = url or machine.url, url.startswith("tcp://") if url else machine.tls
    options = ssh_options(machine) if url.startswith("ssh://") else ()
    from machinectl.engine import Endpoint

    renewal, takeover = NO_HINT, ""
    if machine.tls and ssh_or_none(machine):
        # A host that docker-machine set up needs no --force.
        takeover = f"machinectl provision {'' if machine.origin else '--force '}{machine.name}"
    if machine.access.get("by"):
        renewal = ask_owner(machine)
    elif makes_certificates(machine):
        renewal = repair_hint(machine)
    endpoint = Endpoint(
        url,
        tls,
        machine.directory,
        options,
        machine.name,
        takeover,
        f"machinectl provision {machine.name}" if machine.engine.ssh_only else "",
        given_by=owner_of(machine) if machine.access.get("by") else "",
        ask_again=request_command(machine),
        renewal=renewal,
    )
    return with_addresses(endpoint, machine)


def at_last_address(machine: Machine, ssh: SSHEndpoint) -> SSHEndpoint:
    """Return where the last login was, for programs that try one address."""
    if not machine.addresses:
        return ssh
    from machinectl.machines.answered_address import SSH, last_answer

    last, _ = last_answer(machine.directory, SSH)
    return replace(ssh, host=last) if last in machine.addresses else ssh


def with_addresses(endpoint: Endpoint, machine: Machine) -> Endpoint:
    """Add the machine's further addresses."""
    # While no key is pinned, any server at another address could be taken for the host.
    is_unknown = endpoint.url.startswith("ssh://") and not os.path.lexists(known_hosts_path(machine))
    if is_unknown or not machine.addresses:
        return endpoint
    from machinectl.machines.answered_address import ENGINE, AddressMemory

    others = [with_host(endpoint.url, address) for address in machine.addresses]
    memory = AddressMemory(machine.name, machine.directory, ENGINE)
    return replace(endpoint, others=tuple(url for url in others if url != endpoint.url), memory=memory)


def ssh_options(machine: Machine) -> tuple[str, ...]:
    """Return key, pinned host key (even if the driver fails), jump host. Raises MachineError for an unknown one."""
    from machinectl.ssh.openssh.ssh_options import identity_arguments

    try:
        ssh = driver_of(machine).where(driver_instance(machine)).ssh
    except MachineError:
        key = ""
    else:
        if ssh is None:
            return ()
        key = ssh.key
    pinned = known_hosts_path(machine)
    return tuple(identity_arguments(key, pinned if os.path.exists(pinned) else "", jump_host_of(machine)))
