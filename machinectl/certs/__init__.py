"""X.509 for Docker's mutual TLS: PEM bytes in, PEM bytes out. `…_file` only names a file in error messages."""

from machinectl.certs.checks import ca_pair, check_client_files, client_bundle, server_bundle
from machinectl.certs.issuing import (
    BACKDATED,
    CA_DAYS,
    CLIENT_DAYS,
    COMMON_NAME_BYTES,
    SERVER_DAYS,
    issue_client,
    issue_server,
    new_ca,
    sign_client,
)
from machinectl.certs.pem import (
    Description,
    Pair,
    certified_name,
    describe,
    describe_all,
    fingerprint,
    only_certificates,
    public_key_digest,
)
from machinectl.certs.signing_requests import (
    PublicKey,
    new_key,
    own_public_key,
    requested_key,
    signing_request,
)

__all__ = [
    "BACKDATED",
    "CA_DAYS",
    "CLIENT_DAYS",
    "COMMON_NAME_BYTES",
    "SERVER_DAYS",
    "Description",
    "Pair",
    "PublicKey",
    "ca_pair",
    "certified_name",
    "check_client_files",
    "client_bundle",
    "describe",
    "describe_all",
    "fingerprint",
    "issue_client",
    "issue_server",
    "new_ca",
    "new_key",
    "only_certificates",
    "own_public_key",
    "public_key_digest",
    "requested_key",
    "server_bundle",
    "sign_client",
    "signing_request",
]
