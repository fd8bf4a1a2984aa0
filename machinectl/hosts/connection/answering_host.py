"""Which of a machine's addresses leads to its SSH server."""

from __future__ import annotations

from machinectl.engine.dialling.address_race import dial_first
from machinectl.engine.dialling.deadline_socket import Wire
from machinectl.engine.dialling.sockets import connect_tcp
from machinectl.engine.endpoint import AnotherServer, Deadline, Endpoint, EngineError
from machinectl.machines.answered_address import SSH, AddressMemory
from machinectl.ssh.ssh_errors import REJECTING_GREETINGS, HostKeyRefused, NotForwarded, SSHError, Unreachable
from machinectl.ssh.ssh_settings import read_settings
from machinectl.url import EngineURL, parse_url
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.machines.record import Machine
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_settings import Settings

# Bytes of a server's first words, which may have lines before its greeting (RFC 4253 4.2).
GREETING, LONGEST_GREETING = b"SSH-", 4096
OTHER_KEY = "its SSH key is not that of {}"


def answering_host(
    machine: Machine, ssh: SSHEndpoint, policy: HostKeyPolicy, credentials: Credentials, console: Console, trust: float
) -> SSHEndpoint:
    """Return the SSH endpoint at the first address that answers with the machine's key.

    An address that answered in the last `trust` seconds is not asked for its key. While no key is known, only the
    machine's own address is used: at another one, any server could be pinned. Raises SSHError.
    """
    if not knows_key(policy):
        return ssh
    hosts = list(dict.fromkeys([ssh.host, *machine.addresses]))
    memory = AddressMemory(machine.name, machine.directory, SSH)
    # sshd rejects a client that often connects and does not log in (PerSourcePenalties).
    if trust and (last := memory.just_answered()) in hosts:
        return replace(ssh, host=last)
    settings = {host: read_settings(replace(ssh, host=host)) for host in hosts}
    if not settings[ssh.host].is_direct:
        last = next((host for host in hosts if memory.has_answered(host, trust)), "")
        return replace(ssh, host=last) if last else behind_jump_host(ssh, hosts, memory, policy, credentials, console)
    refused: list[HostKeyRefused] = []

    def look(one: Endpoint, deadline: Deadline) -> Wire:
        host = parse_url(one.url).host
        wire = greet(one, settings[host], deadline)
        try:
            if not memory.has_answered(host, trust):
                check_key(replace(ssh, host=host), policy, credentials, console)
        except BaseException as exc:
            wire.close()
            if isinstance(exc.__cause__, HostKeyRefused):
                refused.append(exc.__cause__)
            raise
        return wire

    urls = [ssh_address(host, settings[host]) for host in hosts if settings[host].is_direct]
    endpoint = Endpoint(urls[0], name=machine.name, others=tuple(urls[1:]), memory=memory)
    try:
        wire = dial_first(endpoint, Deadline(settings[ssh.host].connect_timeout), look)
    except EngineError as exc:
        if refused:
            raise HostKeyRefused(exc.cause, refusal_hint(machine.name, refused, hosts)) from exc
        raise Unreachable(exc.cause, f"See why: machinectl doctor {machine.name}") from exc
    wire.close()
    return replace(ssh, host=parse_url(wire.endpoint.url).host)


def behind_jump_host(
    ssh: SSHEndpoint,
    hosts: list[str],
    memory: AddressMemory,
    policy: HostKeyPolicy,
    credentials: Credentials,
    console: Console,
) -> SSHEndpoint:
    """Return the first address whose server has the machine's key, one after the other.

    Raises SSHError.
    """
    # paramiko takes 150 ms to load.
    from machinectl.ssh.client.connect import check_host_key

    failures: dict[str, NotForwarded | HostKeyRefused] = {}
    for host in memory.in_order(hosts):
        try:
            check_host_key(replace(ssh, host=host), credentials, policy, console)
        except (NotForwarded, HostKeyRefused) as exc:
            failures[host] = exc
            continue
        memory.answered(host)
        for foreign, failure in failures.items():
            if isinstance(failure, HostKeyRefused):
                memory.skipped(foreign, OTHER_KEY.format(policy.machine))
        return replace(ssh, host=host)
    refused = [each for each in failures.values() if isinstance(each, HostKeyRefused)]
    told = refused[0] if refused else failures[hosts[0]]
    told.cause = "; ".join(dict.fromkeys(failure.cause for failure in failures.values()))
    if refused:
        told.hint = refusal_hint(policy.machine, refused, hosts)
    raise told


def refusal_hint(name: str, refused: Sequence[HostKeyRefused], hosts: Sequence[str]) -> str:
    """Offer to accept a new key only if all addresses show it: at one of them may be another host."""
    # A hint names the key.
    hints = {each.hint for each in refused}
    is_one = len(refused) == len(hosts) and len(hints) == 1
    return refused[0].hint if is_one else f"See its addresses: machinectl doctor {name}"


def has_own_key(
    ssh: SSHEndpoint, policy: HostKeyPolicy, credentials: Credentials, console: Console, timeout: float
) -> bool | None:
    """Return whether the SSH server has the machine's key; None if no key is known, or none was seen."""
    settings = read_settings(ssh)
    if not (settings.is_direct and knows_key(policy)):
        return None
    try:
        greet(Endpoint(ssh_address(ssh.host, settings), name=policy.machine), settings, Deadline(timeout)).close()
        check_key(ssh, policy, credentials, console)
    except AnotherServer:
        return False
    except EngineError:
        return None
    return True


def ssh_address(host: str, settings: Settings) -> str:
    return str(EngineURL("tcp", host=host, port=settings.port))


def knows_key(policy: HostKeyPolicy) -> bool:
    return bool(policy.pinned.strip() or policy.demanded)


def greet(one: Endpoint, settings: Settings, deadline: Deadline) -> Wire:
    """Connect to an SSH server, and wait for its first words. Raises EngineError."""
    there = EngineURL("tcp", host=settings.hostname, port=settings.port)
    wire = Wire(connect_tcp(replace(one, url=str(there)), there, deadline), one, deadline)
    try:
        read_greeting(wire)
    except BaseException:
        wire.close()
        raise
    return wire


def read_greeting(wire: Wire) -> None:
    said = b""
    try:
        while GREETING not in said and len(said) < LONGEST_GREETING:
            wire.sock.settimeout(wire.deadline.remaining())
            piece = wire.sock.recv(LONGEST_GREETING)
            if not piece:
                break
            said += piece
    except OSError as exc:
        raise EngineError(f"{wire.endpoint.peer} takes the connection, but does not greet as SSH does") from exc
    if any(words.encode() in said for words in REJECTING_GREETINGS):
        raise EngineError(f"{wire.endpoint.peer} rejects logins from here for now")
    if not said:
        raise EngineError(f"{wire.endpoint.peer} closes the connection before it greets as SSH does")
    if GREETING not in said:
        raise AnotherServer("it is not an SSH server")


def check_key(ssh: SSHEndpoint, policy: HostKeyPolicy, credentials: Credentials, console: Console) -> None:
    # paramiko takes 150 ms to load.
    from machinectl.ssh.client.connect import check_host_key

    try:
        check_host_key(ssh, credentials, policy, console)
    except HostKeyRefused as exc:
        raise AnotherServer(OTHER_KEY.format(policy.machine)) from exc
    except SSHError as exc:
        raise EngineError(exc.cause, exc.hint) from exc
