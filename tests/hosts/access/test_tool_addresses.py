"""Which of a machine's addresses the files of a tool name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.errors import UsageError
from machinectl.hosts.access.tool_addresses import tool_urls
from tests.support import servers
from tests.support.quiet import Quiet
from tests.support.servers import serving
from tests.support.several_addresses import Certificates, orion

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

LAN, VPN = "127.0.0.1", "127.0.0.2"


CHOOSE = "If the tool cannot reach that one, choose another: --address <ADDRESS>"


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    ca = certs.new_ca("orion's CA")
    return Certificates(tmp_path, ca, certs.issue_client(ca, "client"))


def test_it_is_the_address_that_answers_and_the_others_are_named(store: Store, made: Certificates) -> None:
    console = Quiet()
    with serving(servers.engine, made.server(VPN), VPN) as port:
        machine = orion(store, made, port, LAN, VPN, "orion.invalid")
        assert tool_urls(console, [machine], [], {}) == {"orion": f"tcp://{VPN}:{port}"}
    assert console.notes == [f'"orion" answers at {VPN}. Its other addresses: {LAN}, orion.invalid\n{CHOOSE}']


def test_a_renewal_keeps_the_address_of_the_files_until_another_is_chosen(store: Store, made: Certificates) -> None:
    console = Quiet()
    with serving(servers.engine, made.server(LAN), LAN) as port:
        machine = orion(store, made, port, LAN, VPN)
        assert tool_urls(console, [machine], [], {"orion": VPN}) == {"orion": f"tcp://{VPN}:{port}"}
        assert console.notes == [f'The files for "orion" keep {VPN}. Its other addresses: {LAN}\n{CHOOSE}']
        assert tool_urls(console, [machine], [LAN], {"orion": VPN}) == {"orion": f"tcp://{LAN}:{port}"}
        assert tool_urls(console, [machine], [], {"orion": "192.0.2.66"}) == {"orion": f"tcp://{LAN}:{port}"}


def test_only_an_address_of_a_machine_can_be_chosen(store: Store, made: Certificates) -> None:
    machine = orion(store, made, 1, LAN, VPN)
    with pytest.raises(UsageError, match=r"--address 192\.0\.2\.66 is not an address of orion") as caught:
        tool_urls(Quiet(), [machine], ["192.0.2.66"], {})
    assert caught.value.hint == f"Choose one of {LAN}, {VPN}"
