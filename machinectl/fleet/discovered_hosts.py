"""A fleet file of hosts that `discover` found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.discovery.services import SpokenProtocol, SweepTarget
from machinectl.driver.installed_drivers import load
from machinectl.fleet.draft import Described, Draft
from machinectl.machines.record import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.discovery.scan import FoundHost
    from machinectl.discovery.services import FoundService

HEADING = (
    "Hosts that discover found by SSH, and that are not machines yet. Set ssh-user and ssh-key in",
    "defaults. Compare the keys with those of the hosts before the first apply.",
)


def new_hosts(hosts: Sequence[FoundHost], names: Collection[str]) -> tuple[list[Described], list[str]]:
    """Return fleet entries for new hosts, and remarks on hosts without SSH."""
    described: list[Described] = []
    left_out: list[str] = []
    taken = set(names)
    for host in hosts:
        if host.machines:
            continue
        taken.add(name := name_for_host(host, taken))
        services = host.in_order()
        remarks = [remark for service in services if (remark := engine_remark(host.address, name, service))]
        ssh = next((service for service in services if service.speaks is SpokenProtocol.SSH), None)
        if ssh:
            shown = " ".join(filter(None, (host.name, ssh.said, str(ssh.key or ""))))
            described.append(Described(name, "generic", {"ip-address": host.address}, (shown, *remarks)))
        else:
            left_out += remarks
    return described, left_out


def name_for_host(host: FoundHost, taken: Collection[str]) -> str:
    """Prefer the host's own short name."""
    short = host.name.partition(".")[0]
    if is_name(short) and not short.isdecimal() and short not in taken:
        return short
    return "host-" + "".join(letter if letter.isalnum() else "-" for letter in host.address)


def engine_remark(address: str, name: str, service: FoundService) -> str:
    """Return "" for other services."""
    if not service.is_engine:
        return ""
    url = f"tcp://{SweepTarget(address, service.port)}"
    if service.is_open:
        return f"WARNING: whoever reaches {url} is root on its host: close it. {name}: {{driver: none, url: {url}}}"
    return f"It has an engine: {name}: {{driver: none, url: {url}, tls-dir: DIRECTORY}}, with its certificates there"


def fleet_text(found: Sequence[Described], left_out: Sequence[str]) -> str:
    return Draft(HEADING, found, {"generic": load("generic").options()}, left_out=tuple(left_out)).text()
