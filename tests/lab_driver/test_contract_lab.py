"""The driver that makes its hosts keeps the promises of all drivers, with hosts of the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.testing import DriverContract
from tests.lab_driver.fixtures import TOKEN

if TYPE_CHECKING:
    from tests.lab.lan import Lab


class TestLabDriver(DriverContract):
    name = "lab"

    @pytest.fixture(autouse=True)
    def of_this_lab(self, lab_driver: Lab) -> None:
        wish = {"lab-number": lab_driver.number, "lab-token": TOKEN}
        self.lab = lab_driver
        self.wishes = (wish, {**wish, "lab-suite": "bookworm", "lab-variants": ("docker",)})
        self.refused = (
            {**wish, "lab-token": "not the lab's"},
            {**wish, "lab-token": ""},
            {**wish, "lab-number": 0},
            {**wish, "lab-suite": "sid"},
            {**wish, "lab-variants": ("docker", "windows")},
        )

    def made(self) -> set[str]:
        return self.lab.of_hosts()
