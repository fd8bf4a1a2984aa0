"""Real components that tests run against: skipped with the reason where one is missing, a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def need(*programs: str, root: bool = False) -> None:
    """Require programs on the PATH (and root); MACHINECTL_REQUIRE_REAL=1 turns the skip into a failure."""
    missing = [program for program in programs if shutil.which(program) is None]
    if root and os.geteuid() != 0:
        missing.append("root")
    if not missing:
        return
    # The benchmark has no pytest.
    import pytest

    reason = f"needs {', '.join(missing)}"
    if os.environ.get("MACHINECTL_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def small_disk(directory: Path, options: str) -> Iterator[Path]:
    """A file system of its own at a directory."""
    need("mount", "umount", root=True)
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)
