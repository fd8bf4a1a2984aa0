"""What `make bench` measures on real hosts, those of the lab: each run is on a host that was never touched before."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.hosts.identity import Identity
from machinectl.provision.facts import host_facts
from machinectl.provision.scripts import resource
from machinectl.provision.steps.engine_config import configure
from machinectl.provision.target import Target
from machinectl.url import TLS_PORT
from machinectl.verbs.certs import create_certificates
from tests.lab.lan import Lab
from tests.lab.place import KEY
from tests.support.measure import MACHINECTL, Cost, measured, median, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.lab.host import Host

    # Makes ready for a run on a host, with an empty directory for what it needs here; the command that is measured.
    Preparation = Callable[[Host, Path], Sequence[str]]

# They may become root by sudo without a password.
USER = "ops"
NAME = "orionbox"
INSTALL = """export DEBIAN_FRONTEND=noninteractive
apt-get update && apt-get install -y docker.io && systemctl restart docker
"""
# Seconds. What has just been started keeps a host busy for as long as that.
SETTLING = 1


def hosts(work: Path) -> Iterator[Sequence[str]]:
    lab = Lab.claim()
    try:
        for rows in (engine_there, bare, nothing_to_do):
            yield from rows(lab, work)
    finally:
        lab.down()


def engine_there(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    """Against one ssh session that runs the remote scripts of `create` itself, and one question over TLS from here."""
    cost, same = in_turn(lab, work, ["docker"], create, same_work, runs=7)
    yield row("create where the engine is there", cost.wall, "ssh HOST ITS-SCRIPTS; curl", same.wall, "1.3 x")


def bare(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    def install(host: Host, _: Path) -> Sequence[str]:
        return [*host.ssh_command(USER), as_root(INSTALL)]

    cost, base = in_turn(lab, work, [], partial(create, options=("--engine-install", "distro")), install, runs=3)
    yield row("create on a bare host", cost.wall, "ssh HOST apt-get …; restart", base.wall, "1.1 x")


def nothing_to_do(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    with fresh(lab, work, ["docker"]) as (host, directory):
        measured(create(host, directory))
        engine = host.output("pidof dockerd")
        again = [*MACHINECTL, "-s", str(directory), "provision", NAME]
        pairs = [(measured(again), measured([*host.ssh_command(USER), "true"])) for _ in range(10)]
        if host.output("pidof dockerd") != engine:
            sys.exit("provision with nothing to do has restarted the engine")
        # It finds fault with a PATH that leads to systemd's machinectl.
        ours_first = f"PATH={Path(MACHINECTL[0]).parent}:{os.environ['PATH']}"
        doctor = ["env", ours_first, *MACHINECTL, "-s", str(directory), "doctor", NAME]
        well = [(measured(doctor), base) for _, base in pairs]
    for what, found, target in (("provision with nothing to do", pairs, "1 s"), ("doctor", well, "1.5 s")):
        cost, base = (median(costs) for costs in zip(*found, strict=True))
        yield row(what, cost.wall, "ssh HOST true", base.wall, target)


def in_turn(lab: Lab, work: Path, variants: Sequence[str], *preparations: Preparation, runs: int) -> list[Cost]:
    """The medians of commands that are run in turn, so that the machine's moods hit them all."""
    costs: list[list[Cost]] = [[] for _ in preparations]
    for _ in range(runs):
        for found, prepare in zip(costs, preparations, strict=True):
            with fresh(lab, work, variants) as (host, directory):
                found.append(measured(prepare(host, directory)))
    return [median(found) for found in costs]


@contextmanager
def fresh(lab: Lab, work: Path, variants: Sequence[str]) -> Iterator[tuple[Host, Path]]:
    """A host that has just been made, and an empty directory."""
    [host] = lab.up(variants)
    host.wait_booted()
    time.sleep(SETTLING)
    try:
        yield host, Path(tempfile.mkdtemp(dir=work))
    finally:
        host.remove()


def create(host: Host, directory: Path, options: Sequence[str] = ()) -> Sequence[str]:
    where = ["--generic-ip-address", host.ip, "--generic-ssh-user", USER, "--generic-ssh-key", str(KEY)]
    return [*MACHINECTL, "-s", str(directory), "create", "-d", "generic", *where, *options, NAME]


def same_work(host: Host, directory: Path) -> Sequence[str]:
    """What `create` runs on the host, all of it in one session."""
    create_certificates(str(directory), [host.ip])
    look = host_facts.facts_command(TLS_PORT)
    target = Target(host.ip, certificates=Identity.read(str(directory)).on_host)
    decision = configure(host_facts.parse_facts(host.run(look).stdout.encode()), target)
    if decision is None:
        sys.exit(f"{host.name} has been provisioned before")
    return session(host, directory, f"({look})\n{resource('launch.sh')}", decision.job.archive)


def session(host: Host, directory: Path, script: str, data: bytes) -> Sequence[str]:
    """One ssh session that runs a script as root, with some data as its input, and a question to the engine."""
    (directory / "input").write_bytes(data)
    ssh = shlex.join([*host.ssh_command(USER), as_root(script)])
    tls = f"--cacert {directory}/ca.pem --cert {directory}/cert.pem --key {directory}/key.pem"
    return ["sh", "-c", f"{ssh} < {directory}/input && curl -sSf {tls} https://{host.ip}:{TLS_PORT}/version"]


def as_root(script: str) -> str:
    return f"sudo sh -c {shlex.quote(script)}"
