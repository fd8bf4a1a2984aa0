"""What `apply` costs on ten real hosts, those of the lab: made of bare ones, and where all is as the file says."""

from __future__ import annotations

import subprocess
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
PROMISE = "1 x"
DEFAULTS = (
    f"driver: generic, generic-ssh-user: {USER}, generic-ssh-key: {KEY}, engine-install: distro, no-context: true"
)
# What people have of pyinfra do the same: an engine that is there, with these two files, and runs.
PYINFRA = """from pyinfra.operations import apt, files, systemd
apt.packages(packages=["docker.io"], _sudo=True)
files.put(src="daemon.json", dest="{daemon_json}", _sudo=True)
files.put(src="drop-in", dest="{drop_in}", _sudo=True)
systemd.service(service="docker", running=True, enabled=True, _sudo=True)
"""
DAEMON_JSON = "/etc/docker/daemon.json"


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
    """Against four steps of pyinfra's that find nothing to do."""
    with fresh(lab, work, ["docker"]) as fleet:
        measured(fleet.command("apply"))
        engines = fleet.engines()
        theirs = pyinfra(fleet)
        alone = median([measured(fleet.command("apply")) for _ in range(RUNS)])
        yield [f"apply to {HOSTS} finished hosts, by their records", f"{alone.wall:.3f} s", "-", "-", "2 s"]
        # As pyinfra does, it looks at every host.
        command = fleet.command("apply", "--refresh")
        pairs = [(measured(command), measured(theirs) if theirs else None) for _ in range(RUNS)]
        cost, bases = median([pair[0] for pair in pairs]), [base for _, base in pairs if base]
        name = f"apply --refresh to {HOSTS} finished hosts"
        if bases:
            yield row(name, cost.wall, "pyinfra, 4 steps", median(bases).wall, PROMISE)
        else:
            yield [name, f"{cost.wall:.3f} s", "pyinfra cannot be had", "-", PROMISE]
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


def pyinfra(fleet: Fleet) -> Sequence[str]:
    """The command line that has pyinfra look at the same hosts; none where it cannot be had."""
    directory = fleet.directory
    python = directory / "venv/bin/python"
    try:
        subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pyinfra"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return []
    first = fleet.hosts[0]
    drop_in = first.output("ls /etc/systemd/system/docker.service.d/*.conf")
    (directory / "daemon.json").write_bytes(first.output(f"cat {DAEMON_JSON}; echo .").encode()[:-1])
    (directory / "drop-in").write_bytes(first.output(f"cat {drop_in}; echo .").encode()[:-1])
    (directory / "deploy.py").write_text(PYINFRA.format(daemon_json=DAEMON_JSON, drop_in=drop_in))
    login = {"ssh_user": USER, "ssh_key": str(KEY), "ssh_strict_host_key_checking": "off"}
    (directory / "inventory.py").write_text(f"hosts = {[(host.ip, login) for host in fleet.hosts]!r}\n")
    command = [str(python), "-m", "pyinfra", "-y", "inventory.py", "deploy.py"]
    return ["env", "-C", str(directory), f"HOME={directory}", *command]
