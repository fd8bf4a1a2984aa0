"""Tests for driver authors; they need pytest.

from machinectl.testing import DriverContract

class TestMyDriver(DriverContract):
    name = "mine"
    wishes = ({"mine-address": "10.0.0.1"},)
"""

import pytest

# Show values in failed assertions, as in your own tests.
pytest.register_assert_rewrite("machinectl.testing.driver_contract")

from machinectl.testing.driver_contract import DriverContract  # noqa: E402 - pytest must rewrite it

__all__ = ["DriverContract"]
