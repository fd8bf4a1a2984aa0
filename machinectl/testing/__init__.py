"""Tests for those who write drivers; they need pytest.

from machinectl.testing import DriverContract

class TestMyDriver(DriverContract):
    name = "mine"
    wishes = ({"mine-address": "10.0.0.1"},)
"""

import pytest

# An assertion that fails says what the values were, as one in a test of your own does.
pytest.register_assert_rewrite("machinectl.testing.driver_contract")

from machinectl.testing.driver_contract import DriverContract  # noqa: E402 - rewritten from here on

__all__ = ["DriverContract"]
