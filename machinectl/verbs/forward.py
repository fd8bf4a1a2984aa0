"""The verb `forward`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Argument, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import CONTAINER, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login
    from machinectl.tunnels.open_ports import OpenPort, OpenPorts


VERBS = {
    "forward": Verb(
        "forward",
        more=(
            "It forwards TCP over SSH until ^C. PORT is a port of the host. For a CONTAINER, it forwards the ports "
            "that it publishes, while it runs. LOCAL is the number here (default: the same); 0 is a free one."
        ),
        examples=(
            "machinectl forward orionbox 8080:80 5432",
            "machinectl forward orionbox web",
            "machinectl forward --auto orionbox",
        ),
        arguments=(
            shared.NAME,
            Argument("words", "[[LOCAL:]PORT|CONTAINER]…", CONTAINER, many=True, repeats=True),
        ),
        flags=(
            Flag("--auto", help="Forward the ports of all containers, also of those that start later."),
            Flag("--bind", metavar="ADDRESS", help="Listen on this address, not on 127.0.0.1 and ::1."),
            Flag("--json", help="Print one JSON object per line, when a port opens or closes.", parameter="as_json"),
            *LOGIN,
        ),
    ),
}


def forward(here: Session, *, name: str, words: list[str], auto: bool, bind: str, as_json: bool, login: Login) -> int:
    from contextlib import suppress

    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.tunnels.open_ports import LOOPBACK, OpenPorts

    def report(port: OpenPort, opened: bool) -> None:
        wish = port.wish
        if as_json:
            print_json(
                {
                    "Event": "open" if opened else "close",
                    "Address": port.address,
                    "Local": port.local,
                    "Port": wish.port,
                    "Target": wish.target,
                    "Container": wish.container,
                },
                indent=None,
            )
        elif opened:
            write_out(f"{port.here} -> {port.there}\n")
        else:
            here.console.note(port.closed)

    ports = OpenPorts(name, here.console, report, [address_of(bind)] if bind else LOOPBACK)
    with exiting_on_signals(), suppress(KeyboardInterrupt):
        try:
            forward_until_the_end(here, name, words, login, ports, auto=auto)
        finally:
            if as_json:
                ports.report_closed()
    return 0


def forward_until_the_end(
    here: Session, name: str, words: list[str], login: Login, ports: OpenPorts, *, auto: bool
) -> None:
    from machinectl.hosts.present_name import present_name
    from machinectl.machines.machine_driver import ssh_endpoint
    from machinectl.tunnels.port_forwarder import PortForwarder
    from machinectl.tunnels.published_ports import FollowedContainers, container_names, parse_word

    ssh_endpoint(here.store.read(name))
    parsed = list(dict.fromkeys(parse_word(word) for word in words))
    containers = [word for word in parsed if isinstance(word, str)]
    if not parsed and not auto:
        raise UsageError(
            "No port or container is given",
            Hint("Forward what all containers publish", "machinectl forward --auto", name),
        )
    if containers and auto:
        raise UsageError("--auto and a container exclude each other", Hint(f"Leave out {' '.join(containers)}"))
    with present_name(here.store, name) as present:
        names = container_names(present.endpoint(), name, containers) if containers else None
        followed = FollowedContainers(present.endpoint, names) if auto or containers else None
        forwarder = PortForwarder(present, here.console, login, ports, followed)
        try:
            forwarder.start([word for word in parsed if not isinstance(word, str)])
            forwarder.run()
        finally:
            forwarder.close()


def address_of(given: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(given.removeprefix("[").removesuffix("]")))
    except ValueError as exc:
        raise UsageError(
            f"--bind {given!r} is not an address", Hint("Give an address of this computer, or 0.0.0.0 for all of them")
        ) from exc
