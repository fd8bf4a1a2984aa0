"""X.509 for Docker's mutual TLS: PEM bytes in, PEM bytes out. `…_file` only names a file in error messages."""

from machinectl.certs.checks import ca_pair, client_bundle, server_bundle
from machinectl.certs.issuing import (
    CA_DAYS,
    CLIENT_DAYS,
    COMMON_NAME_BYTES,
    SERVER_DAYS,
    issue_client,
    issue_server,
    new_ca,
)
from machinectl.certs.pem import Description, Pair, describe, describe_all, fingerprint, public_key_digest

__all__ = [
    "CA_DAYS",
    "CLIENT_DAYS",
    "COMMON_NAME_BYTES",
    "SERVER_DAYS",
    "Description",
    "Pair",
    "ca_pair",
    "client_bundle",
    "describe",
    "describe_all",
    "fingerprint",
    "issue_client",
    "issue_server",
    "new_ca",
    "public_key_digest",
    "server_bundle",
]
