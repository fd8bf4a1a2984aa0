"""Log in to a machine's host, and read what doctor judges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.check import Check, Verdict, broken, failed, ok, unknown, unseen, value_or
from machinectl.doctor.host_condition import Shell
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.login import Login, logged_in, pinned_known_hosts, root_runner
from machinectl.machines.machine_driver import endpoints_of, ssh_or_none
from machinectl.provision.facts import health as host_health
from machinectl.provision.facts import host_facts
from machinectl.provision.steps import docker_socket
from machinectl.ssh.ssh_settings import read_settings
from machinectl.url import TLS_PORT

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.provision.facts.health import Health
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.session import SSHSession

SSH, ROOT, HOST = "SSH and host key", "Root", "Host"
# A factor for the timeout: reading takes 0.3 s, more if the host swaps.
READS = 4
# The engine's default.
DATA = "/var/lib/docker"


@dataclass(frozen=True)
class Inside:
    """The login's results; None if not checked."""

    checks: tuple[Check, ...]
    shell: Shell
    facts: Facts | None = None
    health: Health | None = None
    off: timedelta | None = None
    # The other machine or machinectl that has set the host up since, or "".
    lost_to: str = ""
    # The SSH server at the machine's address has not its key.
    is_another_host: bool = False
    # The URL with the address that SSH uses, if the machine's URL leads to another host.
    own_url: str = ""


def look_inside(machine: Machine, console: Console, login: Login, timeout: float) -> Inside:
    """Read the host's facts. Never raises MachineError."""
    shell = Shell(machine.name)
    try:
        ssh = endpoints_of(machine).ssh
    except MachineError as exc:
        return Inside((failed(SSH, exc), *unseen([ROOT, HOST], f"{SSH} failed")), shell)
    if ssh is None:
        unused = f'not used: driver "{machine.driver}" knows no SSH address, so the host is not checked'
        return Inside((ok(SSH, unused),), shell)
    from machinectl.ssh.ssh_errors import HostKeyRefused

    # Neither pin nor trust unknown keys.
    cautious = replace(login, strict=True)
    try:
        with logged_in(machine, console, cautious, ssh=ssh, timeout=timeout, quietly=True) as session:
            return logged_in_inside(machine, session, console, login, ssh, timeout)
    except HostKeyRefused as exc:
        checks = (refused_key_check(machine, ssh, login, exc), *unseen([ROOT, HOST], f"{SSH} failed"))
        return Inside(checks, shell, is_another_host=checks[0].verdict is Verdict.BROKEN and not ssh.jump)
    except MachineError as exc:
        return Inside((failed(SSH, exc), *unseen([ROOT, HOST], f"{SSH} failed")), shell)


def refused_key_check(machine: Machine, ssh: SSHEndpoint, login: Login, error: MachineError) -> Check:
    """Report a refused host key; an unknown key is no fault."""
    if pinned_known_hosts(machine).strip() or login.strict or login.host_key:
        # Of several addresses, each has a check.
        return broken(SSH, error.cause, NO_HINT if machine.addresses and not ssh.jump else error.hint)
    seen = f"the key of {ssh.host} is unknown: not logged in"
    return unknown(SSH, seen, Hint("Compare and pin it", "machinectl ssh", machine.name, "true"))


def logged_in_inside(
    machine: Machine, session: SSHSession, console: Console, login: Login, ssh: SSHEndpoint, timeout: float
) -> Inside:
    shell = Shell(machine.name)
    key = "pinned" if pinned_known_hosts(machine).strip() else "known to your SSH"
    entered = ok(SSH, f"{session.user} can log in at {ssh.host}, whose key is {key}")
    try:
        root = root_runner(session, console, login)
    except MachineError as exc:
        return Inside((entered, failed(ROOT, exc), *unseen([HOST], f"{ROOT} failed")), shell)
    program = getattr(root, "program", "")
    shell = replace(shell, root=program)
    becomes = f"{session.user} becomes root with {program}" if program else f"{session.user} is root"
    checks = (entered, ok(ROOT, becomes))
    try:
        asked = datetime.now(UTC)
        # Do not wait for another run on the host.
        script = host_facts.facts_command(engine_port_of(machine), patience=0)
        found = host_facts.parse_facts(root.run(script, timeout=timeout * READS, check=False).stdout)
        if machine.engine.ssh_only and found.running:
            found = replace(found, docker_over_ssh=docker_socket.ask_over_ssh(session))
    except MachineError as exc:
        return Inside((*checks, unknown(HOST, f"facts not read: {exc.cause}", exc.hint)), shell)
    seen = Inside(checks, shell, found, off=found.time - asked)
    try:
        data = str(found.info.get("DockerRootDir") or DATA)
        said = root.run(host_health.health_command(data), timeout=timeout * READS, check=False).stdout
        return replace(seen, health=host_health.parse_health(said))
    except MachineError as exc:
        return replace(seen, checks=(*checks, unknown(HOST, f"disks and memory not read: {exc.cause}", exc.hint)))


def own_url(machine: Machine, console: Console, login: Login, timeout: float) -> str:
    """Return the URL with the address that SSH uses if the URL's host shows another SSH key, else ""."""
    ssh, host = ssh_or_none(machine), value_or("", lambda: engine_url.parse_url(machine.url).host)
    # Of several addresses, each has a check.
    if ssh is None or ssh.jump or host in {"", ssh.host} or machine.addresses:
        return ""
    # paramiko takes 150 ms to load.
    from machinectl.ssh.connect import check_host_key
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_errors import HostKeyRefused

    at_url = replace(ssh, host=host)
    try:
        policy = HostKeyPolicy(pinned_known_hosts(machine), machine=machine.name)
        if policy.pinned.strip() and read_settings(at_url).is_direct:
            check_host_key(at_url, login.credentials, policy, console, timeout)
    except HostKeyRefused:
        return engine_url.with_host(machine.url, ssh.host)
    except MachineError:
        pass
    return ""


def engine_port_of(machine: Machine) -> int:
    return value_or(TLS_PORT, lambda: engine_url.engine_port(machine.url))
