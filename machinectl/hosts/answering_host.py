"""Which of a machine's addresses leads to its SSH server."""

from __future__ import annotations

from machinectl.errors import Hint
from machinectl.machines.answered_address import SSH, AddressMemory
from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError
from machinectl.ssh.ssh_settings import read_settings
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.machines.record import Machine
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.host_keys import HostKeyPolicy

# Seconds for each address but the last.
PATIENCE = 3.0


def answering_host(
    machine: Machine, ssh: SSHEndpoint, policy: HostKeyPolicy, credentials: Credentials, console: Console, trust: float
) -> SSHEndpoint:
    """Return the SSH endpoint at the first address that answers with the machine's key.

    An address that answered in the last `trust` seconds is not asked. While no key is known, only the machine's own
    address is used: at another one, any server could be pinned. Raises SSHError.
    """
    if not knows_key(policy):
        return ssh
    # paramiko takes 150 ms to load.
    from machinectl.ssh.connect import check_host_key

    hosts = list(dict.fromkeys([ssh.host, *machine.addresses]))
    memory = AddressMemory(machine.name, machine.directory, SSH)
    # sshd rejects a client that often connects and does not log in (PerSourcePenalties).
    if last := next((host for host in hosts if memory.has_answered(host, trust)), ""):
        return replace(ssh, host=last)
    failures: dict[str, SSHError] = {}
    for number, host in enumerate(memory.in_order(hosts), 1):
        endpoint = replace(ssh, host=host)
        try:
            check_host_key(endpoint, credentials, policy, console, None if number == len(hosts) else PATIENCE)
        except SSHError as exc:
            failures[host] = exc
            continue
        memory.answered(host)
        for foreign in [foreign for foreign, failure in failures.items() if isinstance(failure, HostKeyRefused)]:
            place = read_settings(replace(ssh, host=foreign)).address
            memory.skipped(place, f"its SSH key is not that of {machine.name}")
        return endpoint
    # Offer to accept a new key only if all addresses show it: at one of them may be another host.
    refused = [failure for failure in failures.values() if isinstance(failure, HostKeyRefused)]
    is_one = len(refused) == len(failures) and len({failure.shown for failure in refused}) == 1
    told = next(iter(refused or failures.values()))
    told.advise(told.advice if is_one else Hint("See its addresses", "machinectl doctor", machine.name))
    told.cause = "; ".join(dict.fromkeys(failure.cause for failure in failures.values()))
    raise told


def has_own_key(
    ssh: SSHEndpoint, policy: HostKeyPolicy, credentials: Credentials, console: Console, timeout: float
) -> bool | None:
    """Return whether the SSH server has the machine's key; None if no key is known, or none was seen."""
    from machinectl.ssh.connect import check_host_key

    if not (knows_key(policy) and read_settings(ssh).is_direct):
        return None
    try:
        check_host_key(ssh, credentials, policy, console, timeout)
    except HostKeyRefused:
        return False
    except SSHError:
        return None
    return True


def knows_key(policy: HostKeyPolicy) -> bool:
    return bool(policy.pinned.strip() or policy.demanded)
