"""Files of 1 GB to a host and back by `machinectl scp`, against the system's scp.

The host is an sshd on loopback, which shares the processors with us: what is compared is what each costs on this side.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.machines.store import Store
from tests.bench_run import in_turn
from tests.support.measure import MACHINECTL, row
from tests.support.registered import register
from tests.support.sshds import sshds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SIZE = 1_000_000_000
RUNS = 3


def copies(work: Path) -> Iterator[Sequence[str]]:
    directory = work / "scp"
    directory.mkdir()
    with (directory / "file").open("wb") as file:
        for _ in range(1000):
            file.write(os.urandom(SIZE // 1000))
    with sshds(directory / "sshd", 1) as [sshd]:
        store = Store(str(work / "scp-store"))
        register(store, "orion", sshd)
        (directory / "known_hosts").write_text(f"{sshd.known()}\n")
        options = ["-o", f"UserKnownHostsFile={directory}/known_hosts", "-i", str(sshd.key_path), "-P", str(sshd.port)]
        by_system = ["scp", "-s", "-q", "-F", "none", *options]
        by_us = [*MACHINECTL, "-s", store.root, "scp", "-q"]
        host = f"{sshd.user}@{sshd.host}"
        for way, places in (
            ("from a host", ("{}:" + f"{directory}/file", f"{directory}/copy")),
            ("to a host", (f"{directory}/file", "{}:" + f"{directory}/copy")),
        ):
            ours = [*by_us, *(place.format("orion") for place in places)]
            theirs = [*by_system, *(place.format(host) for place in places)]
            cost, base = in_turn([ours, theirs], RUNS)
            yield row(f"scp of 1 GB {way}, wall", cost.wall, "scp", base.wall, "1.1 x")
            yield row(f"scp of 1 GB {way}, CPU", cost.cpu, "scp", base.cpu, "1.1 x")
