"""What `make bench` measures on real hosts, those of the lab: each run is on a host that was never touched before."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.commands.certs.create import certs_create
from machinectl.hosts.certificates.identity import Identity
from machinectl.provision import resource
from machinectl.provision.facts import host_facts
from machinectl.provision.steps.engine_config import configure
from machinectl.provision.target import Target
from machinectl.url import TLS_PORT
from tests.lab.command import sh
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
CERTIFICATES = ("ca.pem", "server.pem", "server-key.pem")
# The least that makes a host the same as `create` does.
FILES = {
    "docker/daemon.json": """{
  "hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"],
  "tlsverify": true,
  "tlscacert": "/etc/docker/machinectl/ca.pem",
  "tlscert": "/etc/docker/machinectl/server.pem",
  "tlskey": "/etc/docker/machinectl/server-key.pem",
  "live-restore": true
}
""",
    "systemd/system/docker.service.d/hosts.conf": """[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
""",
}
SET_UP = """set -e
tar -xf - -C /etc
systemctl daemon-reload
systemctl restart docker
until busybox netstat -ltn | grep -q ':2376 '; do sleep 0.1; done
"""
INSTALL = """export DEBIAN_FRONTEND=noninteractive
apt-get update && apt-get install -y docker.io && systemctl restart docker
"""
# Seconds. What has just been started keeps a host busy for as long as that.
SETTLING = 1
# Seconds. On a line that takes so much longer there and back, everything takes longer by that for each answer awaited.
ROUND_TRIP = 0.1


def hosts(work: Path) -> Iterator[Sequence[str]]:
    lab = Lab.claim()
    try:
        for rows in (engine_there, far_away, bare, nothing_to_do):
            yield from rows(lab, work)
    finally:
        lab.down()


def engine_there(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    """Against one ssh session, and one question over TLS from here.

    The session runs the remote scripts of `create` itself; and once more a shorter one with the same outcome, which
    does not look first what is there, judge the new configuration, or keep the old one to put it back.
    """
    cost, same, least = in_turn(lab, work, ["docker"], create, same_work, least_work, runs=7)
    what = "create where the engine is there"
    yield row(what, cost.wall, "ssh HOST ITS-SCRIPTS; curl", same.wall, "1.3 x")
    yield row(what, cost.wall, "ssh HOST SHORT-SCRIPT; curl", least.wall, "1.3 x")


def far_away(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    """All answers that are awaited one after the other: TCP's, SSH's, the login's, the commands', TLS's and HTTP's."""

    def create_over(delay_ms: float, host: Host, directory: Path) -> Sequence[str]:
        host.netem(delay_ms)
        return create(host, directory)

    there = ROUND_TRIP / 2 * 1000
    far, near = in_turn(lab, work, ["docker"], partial(create_over, there), partial(create_over, 0), runs=5)
    trips = f"{(far.wall - near.wall) / ROUND_TRIP:.0f} round trips"
    what = f"create, {ROUND_TRIP * 1000:.0f} ms of round trip"
    yield [what, f"{far.wall:.3f} s", f"0 ms: {near.wall:.3f} s", trips, "45 round trips"]


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
    certs_create(str(directory), [host.ip])
    look = host_facts.facts_command(TLS_PORT)
    target = Target(host.ip, certificates=Identity.read(str(directory)).on_host)
    decision = configure(host_facts.parse_facts(host.run(look).stdout.encode()), target)
    if decision is None:
        sys.exit(f"{host.name} has been provisioned before")
    return session(host, directory, f"({look})\n{resource('launch.sh')}", decision.job.archive)


def least_work(host: Host, directory: Path) -> Sequence[str]:
    """What a person would write in a hurry."""
    certs_create(str(directory), [host.ip])
    etc = directory / "etc"
    for name, text in FILES.items():
        (etc / name).parent.mkdir(parents=True)
        (etc / name).write_text(text)
    (etc / "docker/machinectl").mkdir()
    for name in CERTIFICATES:
        shutil.copy(directory / name, etc / "docker/machinectl" / name)
    archive = directory / "etc.tar"
    sh("tar", "--owner=0", "--group=0", "-cf", archive, "-C", etc, ".")
    return session(host, directory, SET_UP, archive.read_bytes())


def session(host: Host, directory: Path, script: str, data: bytes) -> Sequence[str]:
    """One ssh session that runs a script as root, with some data as its input, and a question to the engine."""
    (directory / "input").write_bytes(data)
    ssh = shlex.join([*host.ssh_command(USER), as_root(script)])
    tls = f"--cacert {directory}/ca.pem --cert {directory}/cert.pem --key {directory}/key.pem"
    return ["sh", "-c", f"{ssh} < {directory}/input && curl -sSf {tls} https://{host.ip}:{TLS_PORT}/version"]


def as_root(script: str) -> str:
    return f"sudo sh -c {shlex.quote(script)}"
