"""Whatever moment the making of a host is killed at, it is found again: nothing is left over, nothing made twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import Instance
from tests.lab.place import CHECKOUT
from tests.lab_driver import LabDriver
from tests.lab_driver.dying import request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.lan import Lab

pytestmark = pytest.mark.timeout(300)


def killed_everywhere(directory: Path) -> Iterator[Instance]:
    """Make a host again and again, killed at its first, second … touch, until one is whole; each as it is on record."""
    for moment in range(1, 200):
        (directory / "state").unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.lab_driver.dying", str(moment), str(directory)]
        process = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60)
        assert process.returncode in {0, -signal.SIGKILL}, process.stderr
        asked = request(LabDriver(), directory)
        yield Instance(asked.name, asked.directory, asked.state)
        if process.returncode == 0:
            assert moment > 20, "it hardly touches anything"
            return
    pytest.fail("it never comes to its end")


def test_what_was_begun_is_given_back_or_gone_on_with(lab_driver: Lab, tmp_path: Path) -> None:
    driver = LabDriver()
    # To go on with it boots a host: that is every other one's turn.
    for moment, instance in enumerate(killed_everywhere(tmp_path)):
        if moment % 2:
            state = driver.create(request(driver, tmp_path), lambda _: None)
            made = Instance(instance.name, instance.directory, state)
            [host] = lab_driver.hosts()
            assert driver.where(made).url == f"tcp://{host.ip}:2376"
            assert driver.state(made) == "Running"
            driver.remove(made)
        else:
            driver.remove(instance)
        assert lab_driver.of_hosts() == set()
