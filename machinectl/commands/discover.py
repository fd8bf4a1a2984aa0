"""`discover`: what answers in the networks that were named, and which of it are machines already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.console import agreed
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.discovery import SOCKETS, Discovery
from machinectl.hosts.lookups import Lookups, addresses_of
from machinectl.hosts.networks import own_network, ports_of, spans
from machinectl.hosts.sweep import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.networks import Span
    from machinectl.machines.store import Store

# An IPv4 /20: more is hardly one's own LAN, and takes a while.
UNASKED = 4096
# An IPv4 /8: more is a slip, and takes days.
MOST = 1 << 24
# How long a name server may take. Seconds.
NAMES_TIMEOUT = 5.0


def discover(
    store: Store, console: Console, networks: Sequence[str], ports: str, timeout: float, *, yes: bool
) -> Discovery:
    """What is to be looked at, when that was agreed to where it is much; `run` does it.

    Raises UsageError for what is no network, MachineError for a name that is not known or an answer that is no.
    """
    if not networks:
        raise UsageError("No network is named", f"machinectl discover {own_network()}")
    wanted = ports_of(ports)
    found = spans(networks, resolved)
    count = sum(span.count for span in found)
    if count > MOST:
        raise UsageError(f"That is more than {MOST:,} addresses", f"machinectl discover {own_network()}")
    if count > UNASKED and not yes:
        minutes = max(1, round(count * len(wanted) / SOCKETS * timeout / 60))
        question = (
            f"That is {count:,} addresses, which takes up to {minutes} minute{'s' if minutes > 1 else ''}. Go on?"
        )
        if not agreed(console, question, f"machinectl discover --yes {' '.join(networks)}"):
            raise MachineError("Nothing was looked at", f"machinectl discover {own_network()}")
    return Discovery(store, targets(found, wanted), timeout)


def targets(found: Sequence[Span], ports: Sequence[int]) -> Iterator[Target]:
    """All ports of one address after the other: as few addresses at once as can be."""
    return (Target(address, port) for span in found for address in span.addresses() for port in ports)


def resolved(name: str) -> Sequence[str]:
    lookups = Lookups(addresses_of)
    lookups.want(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])
