"""A command on many hosts at once, against the same by xargs and ssh, and by others that do it, where they are here.

The hosts are sessions of one sshd on loopback: what is compared is what each costs on this side.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from machinectl.machines.store import Store
from tests.support.measure import MACHINECTL, measured, median, row
from tests.support.registered import register
from tests.support.sshd import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.measure import Cost
    from tests.support.sshd import Sshd

RUNS = 7
PROMISED = 30


def many(work: Path) -> Iterator[Sequence[str]]:
    """What `run -- true` takes on 10, 30 and 100 hosts."""
    directory = work / "sshd"
    directory.mkdir()
    with running(directory) as sshd:
        sshd.configure("LogLevel QUIET")
        for count in (10, PROMISED, 100):
            store = Store(str(work / f"hosts-{count}"))
            for number in range(count):
                register(store, f"host{number}", sshd)
            kept = [*MACHINECTL, "-s", store.root, "run", "--all", "--", "true"]
            ours = [*kept[:-2], "--no-persist", "--parallel", str(count), *kept[-2:]]
            if count == PROMISED:
                del ours[ours.index("--parallel") : ours.index("--")]
            others = dict(by_others(sshd, work, count))
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


def by_others(sshd: Sshd, work: Path, count: int) -> Iterator[tuple[str, Sequence[str]]]:
    known = work / "known_hosts"
    known.write_text(f"{sshd.known()}\n")
    names = work / f"names-{count}"
    names.write_text("".join(f"host{number}\n" for number in range(count)))
    options = ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-i", str(sshd.key_path)]
    ssh = ["ssh", "-F", "none", *options, "-p", str(sshd.port), f"{sshd.user}@{sshd.host}", "true"]
    yield f"xargs -P {count} ssh", ["xargs", "-a", str(names), "-P", str(count), "-I", "{}", *ssh]
    key = f"ansible_ssh_private_key_file={sshd.key_path}"
    where = f"ansible_host={sshd.host} ansible_port={sshd.port} ansible_user={sshd.user} {key}"
    hosts = work / f"ansible-{count}"
    checking = f"ansible_ssh_common_args='-F none {' '.join(options[:4])}'"
    hosts.write_text("".join(f"host{number} {where} {checking}\n" for number in range(count)))
    if ansible := found("ansible"):
        yield (
            f"ansible -m raw -f {count}",
            [ansible, "all", "-i", str(hosts), "-m", "raw", "-a", "true", "-f", str(count)],
        )
    if pyinfra := found("pyinfra"):
        inventory = work / f"inventory_{count}.py"
        data = {"ssh_hostname": sshd.host, "ssh_port": sshd.port, "ssh_user": sshd.user, "ssh_key": str(sshd.key_path)}
        data |= {"ssh_known_hosts_file": str(known), "ssh_strict_host_key_checking": "yes"}
        inventory.write_text(f"hosts = [(f'host{{number}}', {data!r}) for number in range({count})]\n")
        yield "pyinfra exec", [pyinfra, "-y", "--parallel", str(count), str(inventory), "exec", "--", "true"]


def found(program: str) -> str | None:
    """A program beside this Python, or on the PATH."""
    return shutil.which(program, path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}")
