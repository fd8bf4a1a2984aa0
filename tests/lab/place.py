"""Where the lab keeps its images and its running hosts, and the locks on them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# /var/lib/docker of a host lies below it: it has to be a real file system, not an overlay.
ROOT = Path(os.environ.get("MACHINECTL_LAB_DIR", "/var/cache/machinectl-lab"))
IMAGES = ROOT / "images"
RUN = ROOT / "run"
KEY = ROOT / "id_lab"
CHECKOUT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the machine-wide lock of that name, waiting for who has it."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
