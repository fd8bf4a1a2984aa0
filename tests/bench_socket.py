"""A machine's socket on this computer against the engine itself, of `make bench`: a real engine with TLS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.machines.store import Store
from tests.support.dockerd import running_with
from tests.support.engine_sockets import register_engine, socket_process
from tests.support.measure import measured, median, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

RUNS, SAVES = 20, 5
# Bytes of the one layer that is read.
SIZE = 256 << 20
IMAGE = "bench-socket"


def sockets(work: Path) -> Iterator[Sequence[str]]:
    """What the docker CLI waits for: a list, and an image that it saves."""
    if os.geteuid() or not shutil.which("dockerd"):
        return
    ca = certs.new_ca("bench")
    with running_with(ca, certs.issue_server(ca, ["orion.local"])) as engine:
        engine.client(engine.directory, certs.issue_client(ca, "bench"))
        store = Store(str(work / "of-socket"))
        register_engine(store, "orionbox", engine)
        data = work / "layer"
        data.write_bytes(os.urandom(SIZE))
        archive = subprocess.run(["tar", "-c", "-C", work, data.name], capture_output=True, check=True).stdout
        imported = ["docker", "-H", f"unix://{engine.socket}", "import", "-", IMAGE]
        subprocess.run(imported, input=archive, capture_output=True, check=True)
        pems = {f"--tls{kind}": engine.directory / file for kind, file in KINDS}
        direct = ["docker", "-H", engine.url, "--tlsverify", *(f"{flag}={path}" for flag, path in pems.items())]
        with socket_process(store, "orionbox") as (process, path):
            through = ["docker", "-H", f"unix://{path}"]
            for what, command, runs, promise in (
                ("docker ps through a socket, wall", ["ps"], RUNS, "2 x"),
                ("256 MB of docker save through a socket, wall", ["save", IMAGE], SAVES, "1.25 x"),
            ):
                # In turns: others work on the computer, too.
                pairs = [(measured([*through, *command]), measured([*direct, *command])) for _ in range(runs)]
                own, base = (median(costs) for costs in zip(*pairs, strict=True))
                yield row(what, own.wall, "over TLS", base.wall, promise)
            process.send_signal(signal.SIGTERM)


KINDS = (("cacert", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))
