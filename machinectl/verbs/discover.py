"""The verb `discover`."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.exit_status import INTERRUPTED
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal, shorten
from machinectl.errors import Hint
from machinectl.features import FEATURES
from machinectl.machines.flags import FILE, TEXT, Flag
from machinectl.quantities import first_names
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.discovery.scan import FoundHost, NetworkScan
    from machinectl.discovery.services import FoundService


HAS_FLEETS = any(feature.package == "fleet" for feature in FEATURES)
WRITE = Flag("--write", metavar="FILE", help="Write a fleet file of the hosts that are not machines yet.", value=FILE)
VERBS = {
    "discover": Verb(
        "discover",
        more="It tries only the addresses that you name, and does not log in.",
        examples=(
            "machinectl discover 192.168.0.0/24",
            "machinectl discover --json 192.168.0.10-20",
            *(["machinectl discover --write fleet.yaml 192.168.0.0/24"] if HAS_FLEETS else []),
        ),
        arguments=(Argument("networks", "NETWORK…", TEXT, many=True, repeats=True),),
        flags=(
            shared.TIMEOUT.with_changes(
                help="Timeout for each address, and for each port to identify itself.", limits=(0.05, 600), default=1.5
            ),
            Flag("-v", "--verbose", help="Print whole fingerprints and the SSH servers' versions on a terminal, too."),
            shared.JSON,
            *([WRITE] if HAS_FLEETS else []),
            Flag("-y", "--yes", help="Do not ask, even for many addresses."),
        ),
        output=PRINTS,
    ),
}


HEADINGS = ["ADDRESS", "NAME", "MACHINE", "SSH", "ENGINE"]
GREETING = "SSH-"
SHORT_KEY = len("ED25519 SHA256:12345678…")
# Names of a certificate in a cell.
NAMED = 2


def discover(
    here: Session,
    *,
    networks: list[str],
    timeout: float,
    verbose: bool,
    as_json: bool,
    yes: bool,
    write: str = "",
) -> int:
    from machinectl.cli.tables.text_table import Fitting, table_text
    from machinectl.discovery.address_ranges import discover as command

    if write:
        from machinectl.files.user_files import check_new_file

        check_new_file(write)
    discovery = command(here.store, here.console, networks, timeout, yes=yes)
    code = 0
    try:
        with here.console.step(f"Looking at {', '.join(networks)}"):
            discovery.run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    hosts = discovery.hosts()
    if as_json:
        print_json([host.fields() for host in hosts])
    elif hosts:
        whole = verbose or not is_terminal(sys.stdout)
        rows = ([cell or "-" for cell in host_cells(host, whole=whole)] for host in hosts)
        write_out(
            table_text(HEADINGS, rows, None if whole else Fitting(spare=("NAME", "MACHINE"), wrapped=("ENGINE",)))
        )
    print_notes(here.console, discovery, networks)
    if write and not code:
        write_fleet_file(here, write, hosts)
    return code


def write_fleet_file(here: Session, path: str, hosts: Sequence[FoundHost]) -> None:
    from machinectl.files.user_files import write_new_file
    from machinectl.fleet.new_fleet import fleet_text, new_hosts

    found, left_out = new_hosts(hosts, here.store.names())
    if not (found or left_out):
        here.console.note(f"Nothing is new, and {path} not written")
        return
    write_new_file(path, fleet_text(found, left_out))
    here.console.note(f"New hosts in {path}: {len(found)}", Hint("Look through it, then", "machinectl plan -f", path))


def host_cells(host: FoundHost, *, whole: bool) -> list[str]:
    services = host.in_order()
    ssh = [ssh_text(service, whole=whole) for service in services if service.speaks == "ssh"]
    engines = [engine_text(service) for service in services if service.is_engine]
    return [host.address, host.name, ", ".join(host.machines), "; ".join(ssh), "; ".join(engines)]


def ssh_text(service: FoundService, *, whole: bool) -> str:
    if not service.said.startswith(GREETING):
        return "rejects this address for now"
    if service.key and not whole:
        return shorten(str(service.key), SHORT_KEY, sys.stdout)
    return f"{service.said.removeprefix('SSH-2.0-').partition(' ')[0]} {service.key or '(no key)'}"


def engine_text(service: FoundService) -> str:
    what = f"{service.port}: {'TLS' if service.tls else 'PLAIN TCP'}"
    server = service.said.partition(" ")[0]
    if service.is_open:
        return f"{what}, ROOT FOR ANYBODY ({server})"
    if not service.asks:
        return f"{what}, refuses strangers ({server})"
    return f"{what}{', for ' + first_names(service.names, NAMED) if service.names else ''}"


def print_notes(console: Console, discovery: NetworkScan, networks: Sequence[str]) -> None:
    from machinectl.discovery.services import PORTS

    hosts = discovery.hosts()
    if not hosts:
        console.note(f"Nothing answers at {', '.join(networks)}, ports {' and '.join(map(str, PORTS))}")
    if discovery.refusing:
        console.note(f"Addresses in use where nothing listens at these ports: {discovery.refusing}")
    if discovery.no_way:
        console.note("No network of this computer leads to all of that", Hint("See its routes", "ip route"))
    opened = [host.address for host in hosts if any(each.is_open for each in host.services.values())]
    if opened:
        console.warn(
            f"Anyone who reaches these engines is root on their hosts, without a certificate: {first_names(opened)}"
        )
