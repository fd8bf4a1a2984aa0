from __future__ import annotations

import pytest

from machinectl import driver as drivers
from machinectl.driver import DriverError, Instance
from tests.support.driver_contract import DriverContract


class TestNoneDriver(DriverContract):
    name = "none"
    wishes = (
        {"url": "tcp://192.168.0.29:2376"},
        {"url": "tcp://orion.local"},
        {"url": "unix:///var/run/docker.sock"},
        {"url": "ssh://ops@orion"},
    )
    refused = ({"url": "http://orion"}, {"url": ""}, {"url": "orion:2376"})


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill"])
def test_a_host_that_is_only_a_url_has_no_power_switch_and_says_so(verb: str) -> None:
    instance = Instance("orionbox", "/nowhere", '{"URL": "tcp://orion:2376"}')
    with pytest.raises(DriverError, match=f"cannot be told to {verb}"):
        getattr(drivers.load("none"), verb)(instance)
