"""`certs create`: write a CA and its certificates."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.fileset import locked_directory, read_regular_file, replace_together

if TYPE_CHECKING:
    from collections.abc import Sequence


def certs_create(
    out_dir: str,
    sans: Sequence[str],
    *,
    ca_cert: str | None = None,
    ca_key: str | None = None,
    client_name: str = "client",
    force: bool = False,
) -> list[str]:
    """Write all files or none, even if killed; return their paths.

    Without `ca_cert` and `ca_key`, `force` replaces the CA and locks out its clients. Both may be in `out_dir`; the key
    is not copied. Raises UsageError for an invalid name.
    """
    if not sans:
        raise UsageError(
            "The host's names and addresses are missing: a certificate is valid only for those",
            Hint("Give each", "machinectl certs create --out <DIR> --san orion --san 192.168.0.29"),
        )
    if os.path.isdir(out_dir):
        with locked_directory(out_dir):
            pass  # Finish a killed run first: it may have written the CA.
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
        replace_together(out_dir, files, force=force, hint=how_to_replace(out_dir, sans, client_name))
    return [os.path.join(out_dir, name) for name in files]


def given_ca(ca_cert: str | None, ca_key: str | None) -> certs.Pair | None:
    if ca_cert and ca_key:
        return certs.ca_pair(read_regular_file(ca_cert), read_regular_file(ca_key), ca_file=ca_cert, key_file=ca_key)
    if ca_cert or ca_key:
        raise UsageError("A CA needs its certificate and its key", Hint("Give both: --ca-cert FILE --ca-key FILE"))
    return None


def check_ca_key(path: str, ca: certs.Pair) -> None:
    """Refuse to replace a CA's certificate but not its key."""
    if not os.path.lexists(path):
        return
    try:
        certs.ca_pair(ca.certificate, read_regular_file(path), key_file=path)
    except MachineError as exc:
        raise MachineError(
            f"{path} is not the key of the given CA",
            Hint("Choose another directory, or keep that key elsewhere", f"mv {shlex.quote(path)} …"),
        ) from exc


def how_to_replace(directory: str, sans: Sequence[str], client_name: str) -> Hint:
    """Return the commands that replace the certificates."""
    words = ["--out", directory, *(word for san in sans for word in ("--san", san)), "--client-name", client_name]
    again = f"machinectl certs create --force {shlex.join(words)}"
    ca = shlex.join(["--ca-cert", os.path.join(directory, "ca.pem"), "--ca-key", os.path.join(directory, "ca-key.pem")])
    return Hint("Renew under the same CA", f"{again} {ca}") | Hint(
        "or make a new CA, which locks out all clients", again
    )
