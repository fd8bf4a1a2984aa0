"""Make a host with the driver, and be killed (SIGKILL) right before the N-th touch of it.

    python -m tests.lab_driver.dying N DIRECTORY

A touch is of a file of the lab or of the state on record, which is DIRECTORY/state, or starts a program.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.driver import Request, write_private_file
from machinectl.driver.driver_options import complete_options
from tests.lab.place import RUN
from tests.lab_driver import LabDriver
from tests.support.dying import die_at

if TYPE_CHECKING:
    from machinectl.driver import Driver, OptionValue


def request(driver: Driver, directory: Path) -> Request:
    """A host of the lab that the environment names, as it was left where its state is on record."""
    given: dict[str, OptionValue] = {"lab-number": int(os.environ["LAB_NUMBER"]), "lab-token": os.environ["LAB_TOKEN"]}
    record = directory / "state"
    options = complete_options("lab", driver.options(), given)
    return Request("box", str(directory), options, state=record.read_text() if record.exists() else "")


def main(number: int, directory: Path) -> None:
    driver = LabDriver()
    asked = request(driver, directory)
    die_at(number, str(RUN), str(directory), programs=True)
    driver.create(asked, lambda state: write_private_file(str(directory / "state"), state.encode()))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
