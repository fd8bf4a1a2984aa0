"""The real Ansible: `ansible` and `ansible-inventory` of ansible-core, from the environment that the tests run in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path


def run(program: str, *arguments: str | Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one of its programs to its end."""
    path = os.pathsep.join([environment.get("PATH", os.environ["PATH"]), os.path.dirname(sys.executable)])
    found = shutil.which(program, path=path)
    if found is None:
        need(program)
        pytest.skip(f"needs {program}")
    variables = {
        **os.environ,
        **environment,
        "PATH": path,
        # It refuses any other encoding.
        "LC_ALL": "C.UTF-8",
        # No connection of ssh's outlasts the test.
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
        "ANSIBLE_NOCOLOR": "1",
        # A library that Ansible uses warns of its own age.
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.run(
        [found, *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def listed(inventory: Path, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """What ansible-inventory makes of an inventory; it has nothing to say against it."""
    done = run("ansible-inventory", "-i", inventory, "--list", environment=environment or {})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
