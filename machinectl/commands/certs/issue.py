"""`certs issue`: make another client certificate."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.errors import Hint, MachineError
from machinectl.files.fileset import locked_directory, read_regular_file, replace_together
from machinectl.hosts.certificate_files import check_has_ca, check_has_certificates
from machinectl.machines.store.file_reading import reading_files

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def certs_issue(store: Store, name: str, out_dir: str, *, client_name: str = "client", force: bool = False) -> str:
    """Write a client's files; return a description for the user."""
    machine = store.read(name)
    check_has_certificates(machine)
    directory = store.directory(name)
    with reading_files(store, name):
        check_has_ca(machine)
        ca = read_ca(name, directory)
    client = certs.issue_client(ca, client_name)
    files = {"ca.pem": ca.certificate, "cert.pem": client.certificate, "key.pem": client.key}
    with locked_directory(out_dir):
        replace_together(out_dir, files, force=force, hint=Hint("Choose another directory, or replace them: --force"))
    return what_it_can_do(machine, certs.describe(client.certificate), out_dir)


def read_ca(name: str, directory: str) -> certs.Pair:
    ca, key = os.path.join(directory, "ca.pem"), os.path.join(directory, "ca-key.pem")
    if not os.path.lexists(key):
        raise MachineError(
            f'The key of the CA of "{name}" is missing ({key}): without it, no client certificate can be made',
            Hint("Ask whoever made the CA")
            | Hint("or import its key", f"machinectl certs import {name} <DIR>, with ca-key.pem in DIR"),
        )
    return certs.ca_pair(read_regular_file(ca), read_regular_file(key), ca_file=ca, key_file=key)


def what_it_can_do(machine: Machine, client: certs.Description, directory: str) -> str:
    days = client.days_left(datetime.now(UTC))
    lines = [
        f"{client.subject}, signed by {client.issuer}, expires on {client.not_after:%Y-%m-%d} ({days} days).",
        f"Anyone with key.pem is root on every engine of this CA: {machine.name}, and any other that trusts it.",
        "Docker cannot revoke one client: only a new CA locks it out, and with it all the others.",
    ]
    if machine.url.startswith("tcp://"):
        where = f"DOCKER_HOST={shlex.quote(machine.url)} DOCKER_CERT_PATH={shlex.quote(os.path.abspath(directory))}"
        lines.append(f"Use it: DOCKER_TLS_VERIFY=1 {where} docker ps")
    return "\n".join(lines)
