from __future__ import annotations

import pytest

from machinectl.driver import DriverError, Instance, Request, Where
from machinectl.testing import DriverContract
from machinectl_none import NoneDriver


class TestNoneDriver(DriverContract):
    name = "none"
    wishes = (
        {"url": "tcp://192.168.0.29:2376"},
        {"url": "tcp://orion.local"},
        {"url": "unix:///var/run/docker.sock"},
        {"url": "ssh://ops@orion"},
    )
    refused = ({"url": "http://orion"}, {"url": ""}, {"url": "orion:2376"})


@pytest.mark.parametrize(("tls", "port"), [(None, 2376), (True, 2376), (False, 2375)])
def test_a_url_without_a_port_gets_dockers(tls: bool | None, port: int) -> None:
    request = Request("orionbox", "/nowhere", {"url": "tcp://orion"}, tls)
    assert NoneDriver().preview(request) == Where(f"tcp://orion:{port}")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill"])
def test_a_host_that_is_only_a_url_has_no_power_switch_and_says_so(verb: str) -> None:
    instance = Instance("orionbox", "/nowhere", '{"URL": "tcp://orion:2376"}')
    with pytest.raises(DriverError, match=f'Driver "none" cannot {verb} the host'):
        getattr(NoneDriver(), verb)(instance)
