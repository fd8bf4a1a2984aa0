"""A command on many hosts at once, against the same by xargs and ssh.

Each host is an sshd of its own on loopback, which shares the processors with us.
"""

from __future__ import annotations

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
                promise = "1.1 x" if count == PROMISED else "-"
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
