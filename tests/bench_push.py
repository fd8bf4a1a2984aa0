"""An image to a host of the lab: what is sent and how long it takes, against the other ways."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from machinectl.machines.store import Store
from tests.lab.place import KEY
from tests.support.archives import Made, layer, saved
from tests.support.measure import MACHINECTL, measured, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.lab.lan import Lab

# Bytes of the base and of the layer above it.
BASE, TOP = 200 << 20, 20 << 20


def pushes(lab: Lab, work: Path) -> Iterator[Sequence[str]]:
    """Push an image whose base the host has, and one that it has not."""
    [host] = lab.up(["docker"])
    host.wait_booted()
    store = Store(str(work / "push-store"))
    subprocess.run(
        [*MACHINECTL, "-s", store.root, "create", f"ops@{host.ip}", "orion"],
        env={**os.environ, "MACHINECTL_SSH_KEY": str(KEY)},
        check=True,
    )
    base, top = layer("base", os.urandom(BASE)), layer("top", os.urandom(TOP))
    archive = work / "app.tar"
    archive.write_bytes(saved({"app:1": Made([base, top])}))
    ssh = f"ssh -i {KEY} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR ops@{host.ip}"
    push = [*MACHINECTL, "-s", store.root, "push", "--from-file", str(archive), "app:1", "orion"]
    for what, size in (("all layers", BASE + TOP), ("the top layer", TOP)):
        if size == TOP:
            host.run("docker load", stdin=saved({"base:1": Made([base])}))
        cost = measured(push)
        (work / "same").write_bytes(os.urandom(size))
        plain = measured(["sh", "-c", f"{ssh} 'cat > /dev/null' < {shlex.quote(str(work / 'same'))}"])
        load = measured(["sh", "-c", f"{ssh} docker load < {shlex.quote(str(archive))}"])
        yield row(f"push, {what} missing, wall", cost.wall, "as many bytes by ssh cat", plain.wall, "1.1 x")
        yield row(f"push, {what} missing, wall", cost.wall, "ssh docker load of all", load.wall, "1 x")
        host.run("docker rmi app:1")
    if shutil.which("docker-pussh"):
        other = measured(["docker-pussh", "app:1", f"ops@{host.ip}"])
        yield row("push, wall", cost.wall, "docker-pussh", other.wall, "1 x")
