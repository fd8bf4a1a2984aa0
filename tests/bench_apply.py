"""What `apply` costs on ten real hosts, those of the lab: made of bare ones, and where all is as the file says."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench_hosts import INSTALL, SETTLING, USER, as_root
from tests.lab.lan import Lab
from tests.lab.place import KEY
from tests.support.measure import MACHINECTL, Cost, measured, median, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.lab.host import Host

HOSTS = 10
# Ten installations at once keep the machine busy for minutes, and their own moods are small beside that.
BARE_RUNS = 2
RUNS = 5
DEFAULTS = (
    f"driver: generic, generic-ssh-user: {USER}, generic-ssh-key: {KEY}, engine-install: distro, no-context: true"
)


class Fleet(NamedTuple):
    """Ten hosts, the file that is about them, and the store that it is carried out in."""

    hosts: Sequence[Host]
    directory: Path

    def command(self, *words: str) -> Sequence[str]:
        return [*MACHINECTL, "-s", str(self.directory / "store"), *words, "-f", str(self.directory / "fleet.yaml")]

    def engines(self) -> list[str]:
        return [host.output("systemctl show --value -p MainPID docker.service") for host in self.hosts]

    def by_hand(self) -> Sequence[str]:
        """The least that a shell does to install an engine on all of them."""
        *ssh, _ = self.hosts[0].ssh_command(USER)
        logins = self.directory / "logins"
        logins.write_text("".join(f"{USER}@{host.ip}\n" for host in self.hosts))
        return ["xargs", "-P", str(HOSTS), "-I{}", "-a", str(logins), *ssh, "{}", as_root(INSTALL)]


def fleets(work: Path) -> Iterator[Sequence[str]]:
    lab = Lab.claim()
    try:
        for rows in (bare, finished):
            yield from rows(lab, work)
    finally:
        lab.down()


def bare(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    """Against the same installations by a shell, without certificates or a look at what is there before and after."""
    commands: list[Callable[[Fleet], Sequence[str]]] = [lambda fleet: fleet.command("apply"), Fleet.by_hand]
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(BARE_RUNS):
        for found, command in zip(costs, commands, strict=True):
            with fresh(lab, work) as fleet:
                found.append(measured(command(fleet)))
    cost, base = map(median, costs)
    yield row(f"apply to {HOSTS} bare hosts", cost.wall, f"xargs -P {HOSTS} ssh HOST apt-get …", base.wall, "1.2 x")


def finished(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    with fresh(lab, work, ["docker"]) as fleet:
        measured(fleet.command("apply"))
        engines = fleet.engines()
        for words, promise in (((), "2 s"), (("--refresh",), "6 s")):
            took = median([measured(fleet.command("apply", *words)) for _ in range(RUNS)]).wall
            yield [f"{' '.join(('apply', *words))} to {HOSTS} finished hosts", f"{took:.3f} s", "-", "-", promise]
        if fleet.engines() != engines:
            sys.exit("apply with nothing to do has restarted an engine")


@contextmanager
def fresh(lab: Lab, work: Path, variants: Sequence[str] = ()) -> Iterator[Fleet]:
    """Ten hosts that have just been made, with a file of their own."""
    hosts = lab.up(variants, count=HOSTS)
    for host in hosts:
        host.wait_booted()
    time.sleep(SETTLING)
    directory = Path(tempfile.mkdtemp(dir=work))
    lines = [f"  {host.name}: {{generic-ip-address: {host.ip}}}\n" for host in hosts]
    (directory / "fleet.yaml").write_text(f"defaults: {{{DEFAULTS}}}\nhosts:\n{''.join(lines)}")
    try:
        yield Fleet(hosts, directory)
    finally:
        for host in hosts:
            host.remove()
