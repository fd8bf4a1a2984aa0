"""A command on many hosts at once, against the same by xargs and ssh, and by others that do it, where they are here.

Each host is an sshd of its own on loopback, which shares the processors with us.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from machinectl.machines.store import Store
from tests.support.measure import MACHINECTL, measured, median, row
from tests.support.registered import register
from tests.support.sshds import sshds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.measure import Cost
    from tests.support.sshds import Host

RUNS = 7
PROMISED, MOST = 30, 100


def many(work: Path) -> Iterator[Sequence[str]]:
    """What `run -- true` takes on 10, 30 and 100 hosts."""
    with sshds(work / "sshds", MOST) as hosts:
        for count in (10, PROMISED, MOST):
            store = Store(str(work / f"hosts-{count}"))
            for number, host in enumerate(hosts[:count]):
                register(store, f"host{number}", host)
            kept = [*MACHINECTL, "-s", store.root, "run", "--all", "--", "true"]
            ours = [*kept[:-2], "--no-persist", "--parallel", str(count), *kept[-2:]]
            if count == PROMISED:
                del ours[ours.index("--parallel") : ours.index("--")]
            others = dict(by_others(hosts[:count], work))
            costs = in_turn([ours, *others.values()])
            for name, cost in zip(others, costs[1:], strict=True):
                promise = "1.1 x" if count == PROMISED and name.startswith("xargs") else "1 x, but for xargs"
                yield row(f"run -- true on {count} hosts, wall", costs[0].wall, name, cost.wall, promise)
            if count < PROMISED:
                first, again = measured(kept), in_turn([kept])[0]
                yield row(f"run -- true again on {count} hosts, wall", again.wall, "first run", first.wall, "0.5 x")


def in_turn(commands: Sequence[Sequence[str]], runs: int = RUNS) -> list[Cost]:
    """The median cost of each, as they take turns: the machine's moods hit all."""
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(runs):
        for command, own in zip(commands, costs, strict=True):
            own.append(measured(command))
    return [median(own) for own in costs]


def by_others(hosts: Sequence[Host], work: Path) -> Iterator[tuple[str, Sequence[str]]]:
    first, count = hosts[0], len(hosts)
    known = work / f"known_hosts-{count}"
    known.write_text("".join(f"{host.known()}\n" for host in hosts))
    addresses = work / f"addresses-{count}"
    addresses.write_text("".join(f"{host.host}\n" for host in hosts))
    options = ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-i", str(first.key_path)]
    ssh = ["ssh", "-F", "none", *options, "-p", str(first.port), f"{first.user}@{{}}", "true"]
    yield f"xargs -P {count} ssh", ["xargs", "-a", str(addresses), "-P", str(count), "-I", "{}", *ssh]
    login = f"ansible_port={first.port} ansible_user={first.user} ansible_ssh_private_key_file={first.key_path}"
    inventory = work / f"ansible-{count}"
    checking = f"ansible_ssh_common_args='-F none {' '.join(options[:4])}'"
    inventory.write_text("".join(f"{host.host} {login} {checking}\n" for host in hosts))
    if ansible := found("ansible"):
        yield (
            f"ansible -m raw -f {count}",
            [ansible, "all", "-i", str(inventory), "-m", "raw", "-a", "true", "-f", str(count)],
        )
    if pyinfra := found("pyinfra"):
        inventory = work / f"inventory_{count}.py"
        data = {"ssh_port": first.port, "ssh_user": first.user, "ssh_key": str(first.key_path)}
        data |= {"ssh_known_hosts_file": str(known), "ssh_strict_host_key_checking": "yes"}
        inventory.write_text(f"hosts = {[(host.host, data) for host in hosts]!r}\n")
        yield "pyinfra exec", [pyinfra, "-y", "--parallel", str(count), str(inventory), "exec", "--", "true"]


def found(program: str) -> str | None:
    """A program beside this Python, or on the PATH."""
    return shutil.which(program, path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}")
