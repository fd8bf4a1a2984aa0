"""A real TLS handshake, on memory BIOs."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def connect(client: Path, server: Path, name: str) -> None:
    """Let a client, as strict as Python 3.13's, meet an engine that demands a certificate; each has its directory."""
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.verify_mode = ssl.CERT_REQUIRED
    listening.load_verify_locations(server / "ca.pem")
    listening.load_cert_chain(server / "server.pem", server / "server-key.pem")
    dialling = ssl.create_default_context(cafile=str(client / "ca.pem"))
    for context in (listening, dialling):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    if (client / "cert.pem").exists():
        dialling.load_cert_chain(client / "cert.pem", client / "key.pem")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialled = dialling.wrap_bio(to_client, to_server, server_hostname=name)
    accepted = listening.wrap_bio(to_server, to_client, server_side=True)
    waiting = [dialled, accepted]
    for side in [dialled, accepted] * 4:
        if side in waiting:
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
