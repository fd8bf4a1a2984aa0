"""Further addresses of a machine's host: check them. Light path."""

from __future__ import annotations

from machinectl import url as engine_url
from machinectl.errors import Hint, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

FLAG = "--address"
SSH_PORT = 22
# A LAN, some VPNs and some names: more would be tried for seconds.
MOST_ADDRESSES = 16


def parse_address(text: str) -> str:
    """Return an address or a name without brackets. Raises UsageError."""
    address = text.strip()
    bare = address.removeprefix("[").removesuffix("]")
    form = f"[{bare}]" if bare.count(":") > 1 else bare
    try:
        if engine_url.parse_url(f"ssh://{form}").host == bare:
            return bare
    except UsageError:
        pass
    # What is typed may hold a password.
    raise UsageError(
        f"{FLAG} {engine_url.without_password(address)!r} is not an address or a name alone",
        Hint(f"Give only the host: {FLAG} 10.8.0.29, {FLAG} fd00::1d or {FLAG} orion.vpn"),
    )


def parse_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each address once. Raises UsageError for an invalid one, or for too many."""
    addresses = {place_of(address): address for address in map(parse_address, texts)}
    if len(addresses) > MOST_ADDRESSES:
        raise UsageError(
            f"A machine has at most {MOST_ADDRESSES} addresses besides that in its URL, not {len(addresses)}",
            Hint("Keep those that this computer can reach"),
        )
    return tuple(addresses.values())


def place_of(address: str) -> object:
    """Return what is equal for two forms of an address or a name."""
    if ":" in address and engine_url.is_address(address):
        import socket

        return socket.inet_pton(socket.AF_INET6, address)
    return address.rstrip(".").lower()


def check_addresses(machine: Machine) -> None:
    """Raise UsageError for addresses that do not fit the machine's URL."""
    if not machine.addresses:
        return
    url = engine_url.parse_url(machine.url)
    if url.scheme == "unix" or (url.scheme == "tcp" and not machine.tls):
        raise UsageError(
            f'"{machine.name}" cannot have several addresses: without TLS or SSH, another engine at one of them could '
            "take its commands",
            Hint(f"Omit {FLAG}") | Hint("to remove those on record", "machinectl set --address", "", machine.name),
        )
    if place_of(url.host) in map(place_of, machine.addresses):
        raise UsageError(f'{url.host} is the address in the URL of "{machine.name}"', Hint(f"Omit {FLAG} {url.host}"))


def check_free(store: Store, machine: Machine) -> None:
    """Raise UsageError if an address, with the URL's port, is where another machine is."""
    for address, name in taken_addresses(store, machine.name, machine.url, machine.addresses):
        raise UsageError(
            f'{address} is an address of the machine "{name}"',
            Hint("See its addresses", "machinectl inspect --json", name),
        )


def taken_addresses(store: Store, own: str, url: str, hosts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each host where another machine than `own` has the URL's port, and that machine's name."""
    wanted = {(place_of(host), port_of(url)): host for host in hosts}
    for machine in store.readable() if wanted else ():
        for place in places_of(machine) if machine.name != own else ():
            if place in wanted:
                yield wanted[place], machine.name


def places_of(machine: Machine) -> list[tuple[object, int]]:
    try:
        return [(place_of(engine_url.parse_url(url).host), port_of(machine.url)) for url in machine.urls]
    except MachineError:
        # A broken record has no address.
        return []


def port_of(text: str) -> int:
    url = engine_url.parse_url(text)
    return url.port or (engine_url.TLS_PORT if url.scheme == "tcp" else SSH_PORT)
