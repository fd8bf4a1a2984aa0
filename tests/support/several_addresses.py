"""A machine with several addresses, and certificates of engines at them."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.machines.record import Machine, Phase
from tests.support.registered import added

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from machinectl.machines.store import Store


@dataclass
class Certificates:
    directory: Path
    ca: certs.Pair
    client: certs.Pair

    @property
    def files(self) -> dict[str, bytes]:
        return {"ca.pem": self.ca.certificate, "cert.pem": self.client.certificate, "key.pem": self.client.key}

    def server(self, *names: str, ca: certs.Pair | None = None, now: datetime | None = None) -> ssl.SSLContext:
        """An engine's side of mutual TLS, which `ca` or the machine's own has signed."""
        pair = certs.issue_server(ca or self.ca, names, now=now)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = self.directory / "server.pem"
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=self.ca.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def orion(store: Store, made: Certificates, port: int, host: str, *addresses: str) -> Machine:
    url = f"tcp://{host}:{port}"
    machine = Machine("orion", "none", url=url, tls=True, addresses=list(addresses), phase=Phase.READY)
    machine.driver_state = json.dumps({"URL": url})
    added(store, machine, made.files)
    return store.read("orion")
