"""`discover`: find SSH servers and engines."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl.console import confirm
from machinectl.discovery import services
from machinectl.discovery.address_ranges import own_network, parse_ranges
from machinectl.discovery.scan import NetworkScan
from machinectl.errors import Declined, Hint, UsageError
from machinectl.name_resolution import NameLookups, addresses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

# A /20. Few LANs are larger, and more takes a while.
UNASKED = 4096
# A /8. More takes days, and is probably a mistake.
MOST = 1 << 24
# Seconds.
NAMES_TIMEOUT = 5.0


def discover(store: Store, console: Console, networks: Sequence[str], timeout: float, *, yes: bool) -> NetworkScan:
    """Return a search that has not started; ask first if it is large. Raises UsageError for an invalid network."""
    if not networks:
        raise UsageError("The network is missing", Hint("For example", "machinectl discover", own_network()))
    found = parse_ranges(networks, resolve_name)
    count = sum(network.num_addresses for network in found)
    if count > MOST:
        raise UsageError(
            f"That is more than {MOST:,} addresses", Hint("Name less", "machinectl discover", own_network())
        )
    if count > UNASKED and not yes:
        question = f"That is {count:,} addresses. Scan them?"
        if not confirm(console, question, shlex.join(["machinectl", "discover", "--yes", *networks])):
            raise Declined("No address was scanned", Hint("Name less", "machinectl discover", own_network()))
    # All ports of an address before the next, to have few in progress.
    targets = (
        services.SweepTarget(str(address), port) for network in found for address in network for port in services.PORTS
    )
    return NetworkScan(store, targets, timeout)


def resolve_name(name: str) -> Sequence[str]:
    lookups = NameLookups(addresses_of)
    lookups.add(name)
    return lookups.answers(NAMES_TIMEOUT).get(name, [])
