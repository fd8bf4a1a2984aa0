"""`ls`, of hosts that somebody else has set up since."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.machines.record import Machine
from tests.support import servers
from tests.support.program import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


def test_a_host_that_somebody_else_set_up_is_listed_with_how_to_take_it_over(store: Store, tmp_path: Path) -> None:
    theirs, ours = certs.new_ca("theirs"), certs.new_ca("ours")
    server, client = certs.issue_server(theirs, ["127.0.0.1"]), certs.issue_client(ours, "client")
    (tmp_path / "server.pem").write_bytes(server.certificate + server.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    files = {"ca.pem": ours.certificate, "cert.pem": client.certificate, "key.pem": client.key}
    with servers.serving(servers.engine, tls) as port:
        url = f"tcp://127.0.0.1:{port}"
        for driver, state in (("generic", {"IPAddress": "127.0.0.1", "EnginePort": port}), ("none", {"URL": url})):
            machine = Machine(driver, driver, url=url, tls=True)
            machine.driver_state = json.dumps(state)
            added(store, machine, files)
        rows = json.loads(machinectl("ls", "--json", store=store.root).stdout)
        said = machinectl("status", "generic", store=store.root).stderr
    generic, none = (row["Error"] for row in rows)
    assert "from another CA" in generic
    assert generic.endswith("; take its host over: machinectl provision --force generic")
    assert "from another CA" in none
    assert "provision" not in none
    assert "or take its host over: machinectl provision --force generic" in said
