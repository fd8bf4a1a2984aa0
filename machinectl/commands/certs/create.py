"""`certs create`: a CA, an engine's certificate and a client's, as files that are put into a directory together."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import MachineError, UsageError
from machinectl.files.fileset import locked_directory, read_regular_file, replace_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.certs import Pair


def certs_create(
    out_dir: str,
    sans: Sequence[str],
    *,
    ca_cert: str | None = None,
    ca_key: str | None = None,
    client_name: str = "client",
    force: bool = False,
) -> list[str]:
    """Write ca.pem, ca-key.pem, server.pem, server-key.pem, cert.pem and key.pem; return their paths.

    With a given CA its certificate is copied and its key is not. Files that are there are replaced with `force` alone:
    a rerun makes a new CA, which locks out the clients of the old one, so renewing under the same CA is asked for by
    naming it (`ca_cert` and `ca_key` may be the ones in `out_dir`). All files are put or none; a killed run is finished
    or forgotten by the next. Raises UsageError for a name that a certificate cannot hold.
    """
    from machinectl import certs

    if not sans:
        raise UsageError(
            "The host's names and addresses are missing: a certificate is good for what it names",
            "Give each: machinectl certs create --out <DIR> --san orion --san 192.168.0.29",
        )
    if os.path.isdir(out_dir):
        with locked_directory(out_dir):
            pass  # What a killed run had begun is finished now: the CA may be among it.
    given = given_ca(ca_cert, ca_key)
    ca = given or certs.new_ca(f"machinectl CA for {sans[0]}")
    server = certs.issue_server(ca, sans)
    client = certs.issue_client(ca, client_name)
    files = {
        "ca.pem": ca.certificate,
        **({} if given else {"ca-key.pem": ca.key}),
        "server.pem": server.certificate,
        "server-key.pem": server.key,
        "cert.pem": client.certificate,
        "key.pem": client.key,
    }
    with locked_directory(out_dir):
        if given:
            check_ca_key(os.path.join(out_dir, "ca-key.pem"), given)
        replace_together(out_dir, files, force=force, hint=how_to_replace(out_dir))
    return [os.path.join(out_dir, name) for name in files]


def given_ca(ca_cert: str | None, ca_key: str | None) -> Pair | None:
    """The CA in two files, checked; None where neither is named."""
    from machinectl import certs

    if ca_cert and ca_key:
        return certs.ca_pair(read_regular_file(ca_cert), read_regular_file(ca_key), ca_file=ca_cert, key_file=ca_key)
    if ca_cert or ca_key:
        raise UsageError("A CA signs with its certificate and its key", "Give both: --ca-cert FILE --ca-key FILE")
    return None


def check_ca_key(path: str, ca: Pair) -> None:
    """Refuse to put a CA's certificate beside the key of another: that key would be as good as lost."""
    from machinectl import certs

    if not os.path.lexists(path):
        return
    try:
        certs.ca_pair(ca.certificate, read_regular_file(path), key_file=path)
    except MachineError as exc:
        raise MachineError(
            f"{path} is not the key of the CA that is to be used",
            f"Choose another directory, or keep that key elsewhere: mv {shlex.quote(path)} …",
        ) from exc


def how_to_replace(directory: str) -> str:
    ca, key = (shlex.quote(os.path.join(directory, name)) for name in ("ca.pem", "ca-key.pem"))
    return f"Renew under the same CA: --force --ca-cert {ca} --ca-key {key}; all of it, clients locked out: --force"
