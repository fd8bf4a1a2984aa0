"""Further addresses of a machine's host: check them. Light path."""

from __future__ import annotations

from machinectl import url as engine_url
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.record import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

FLAG = "--address"
SSH_PORT = 22
# A LAN, some VPNs and some names: more would be tried for seconds.
MOST_ADDRESSES = 16
IPV4 = 4
THIS_COMPUTER = "this computer"
LOCAL_NAMES = (".localhost", ".localhost.localdomain", ".ip6-localhost", ".ip6-loopback")
EXAMPLE = Hint(f"Give only the host: {FLAG} 10.8.0.29, {FLAG} fd00::1d or {FLAG} orion.vpn")


def parse_address(text: str) -> str:
    """Return an address or a name without brackets. Raises UsageError."""
    address = text.strip()
    bare = address.removeprefix("[").removesuffix("]")
    form = f"[{bare}]" if bare.count(":") > 1 and "]:" not in address else address
    try:
        url = engine_url.parse_url(address if "://" in address else f"ssh://{form}")
    except UsageError:
        url = engine_url.EngineURL("")
    if url.host and url.host == bare:
        return bare
    # What is typed may hold a password.
    shown = repr(engine_url.without_password(address))
    if not url.host:
        raise UsageError(f"{FLAG} {shown} is neither an address nor a name", EXAMPLE)
    raise UsageError(
        f"{FLAG} {shown} is more than an address or a name: scheme, user and port are those of the machine's URL",
        Hint(f"Give only the host: {FLAG} {url.host}"),
    )


def parse_addresses(given: Iterable[str]) -> tuple[str, ...]:
    """Raise UsageError for an invalid address, or one that is given twice."""
    found: dict[object, str] = {}
    for text in given:
        address = parse_address(text)
        if place_of(address) in found:
            raise UsageError(f"{FLAG} {address} is given twice", Hint("Leave one out"))
        found[place_of(address)] = address
    if len(found) > MOST_ADDRESSES:
        raise UsageError(
            f"A machine has at most {MOST_ADDRESSES} addresses besides that in its URL, not {len(found)}",
            Hint("Keep those that this computer can reach"),
        )
    return tuple(found.values())


def place_of(address: str) -> object:
    """Return what is equal for two forms of an address or a name."""
    if ":" in address and engine_url.is_address(address):
        import socket

        return socket.inet_pton(socket.AF_INET6, address)
    return address.rstrip(".").lower()


def address_kind(host: str) -> str:
    """Return the kind of an address that does not lead to one host of its network, "" for others."""
    import ipaddress

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = f".{place_of(host)}"
        return THIS_COMPUTER if name.endswith(LOCAL_NAMES) else ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:
        return THIS_COMPUTER
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    # Some overlay networks use IPv6 that is reserved.
    return "reserved" if address.version == IPV4 and address.is_reserved else ""


def check_addresses(machine: Machine) -> None:
    """Raise UsageError for addresses that do not fit the machine's URL."""
    if not machine.addresses:
        return
    url = engine_url.parse_url(machine.url)
    omit = Hint(f"Omit {FLAG}")
    if machine.phase == Phase.READY:
        omit |= Hint("to remove those on record", "machinectl set --address", "", machine.name)
    if url.scheme == "unix":
        raise UsageError(f'"{machine.name}" is at {machine.url}, a socket of this computer, which has no address', omit)
    if url.scheme == "tcp" and not machine.tls:
        raise UsageError(
            f'"{machine.name}" needs TLS for several addresses: without it, another engine at one of them could take '
            "its commands",
            omit,
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
    if hosts := list(hosts):
        yield from Places(store.readable()).taken(own, url, hosts)


class Places:
    """The addresses and ports of machines."""

    def __init__(self, machines: Iterable[Machine]) -> None:
        self._names: dict[tuple[object, int], list[str]] = {}
        for machine in machines:
            self.add(machine)

    def add(self, machine: Machine) -> None:
        try:
            hosts = [engine_url.parse_url(url).host for url in machine.urls]
        except MachineError:
            # A broken record has no address.
            return
        for host in filter(None, hosts):
            self._names.setdefault((place_of(host), port_of(machine.url)), []).append(machine.name)

    def taken(self, own: str, url: str, hosts: Iterable[str]) -> Iterator[tuple[str, str]]:
        """See `taken_addresses`."""
        for host in hosts:
            names = self._names.get((place_of(host), port_of(url)), ())
            yield from ((host, name) for name in names if name != own)


def port_of(text: str) -> int:
    url = engine_url.parse_url(text)
    return url.port or (engine_url.TLS_PORT if url.scheme == "tcp" else SSH_PORT)
