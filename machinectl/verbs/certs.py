"""The verbs `certs …`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint, MachineError, UsageError, quoted
from machinectl.machines.flags import DIRECTORY, FILE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from machinectl import certs
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.expiry import CertificateRow
    from machinectl.machines.store import Store


OUT_DIRECTORY = Flag(
    "--out", metavar="DIR", help="The directory to write to; it is created.", value=DIRECTORY, required=True
)
CLIENT_NAME = Flag("--client-name", metavar="NAME", help="The client's name in its certificate.", default="client")
OVERWRITE = Flag("-f", "--force", help="Replace existing files.")

VERBS = {
    "certs": Verb(
        "",
        examples=(
            "machinectl certs ls",
            "machinectl certs create --out certs --san 192.168.0.29",
            "machinectl certs import orionbox certs",
        ),
    ),
    "certs create": Verb(
        "certs_create",
        examples=("machinectl certs create --out certs --san 192.168.0.29 --san orion.lan",),
        flags=(
            OUT_DIRECTORY,
            Flag(
                "--san",
                metavar="NAME|ADDRESS",
                help="A name or address that clients use for the host.",
                many=True,
                required=True,
            ),
            Flag("--ca-cert", metavar="FILE", help="Sign with this CA, not a new one.", value=FILE, default=None),
            Flag("--ca-key", metavar="FILE", help="The key of that CA.", value=FILE, default=None),
            CLIENT_NAME,
            OVERWRITE,
        ),
        refuses_empty=True,
    ),
    "certs issue": Verb(
        "certs_issue",
        more="It is valid for 820 days, and cannot be ended alone: `access issue` makes those that can.",
        examples=("machinectl certs issue orionbox --out certs --client-name alice",),
        arguments=(shared.NAME,),
        flags=(OUT_DIRECTORY, CLIENT_NAME, OVERWRITE),
        refuses_empty=True,
    ),
    "certs import": Verb(
        "certs_import",
        examples=("machinectl certs import orionbox certs",),
        arguments=(shared.NAME, Argument("directory", "DIR", DIRECTORY, required=True)),
        flags=(OVERWRITE,),
    ),
    "certs ls": Verb(
        "certs_ls",
        examples=("machinectl certs ls", "machinectl certs ls --fail-under 30"),
        arguments=(shared.NAMES,),
        flags=(
            Flag(
                "--fail-under",
                metavar="DAYS",
                help="Exit with 1 if a certificate expires within DAYS.",
                kind=int,
                limits=(0, None),
                default=None,
            ),
            shared.JSON,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}


HEADINGS = ["MACHINE", "FILE", "SUBJECT", "NAMES", "ISSUER", "EXPIRES", "DAYS", "WARNING"]


def certs_create(
    here: Session, *, out: str, san: list[str], ca_cert: str | None, ca_key: str | None, client_name: str, force: bool
) -> None:
    from machinectl.files.ownership import OUT, check_directory

    check_directory(out, OUT, here.console.warn)
    print_lines(create_certificates(out, san, ca_cert=ca_cert, ca_key=ca_key, client_name=client_name, force=force))
    here.console.note(
        "For the host: ca.pem, server.pem, server-key.pem; for ~/.docker: ca.pem, cert.pem, key.pem",
        Hint("Keep ca-key.pem where nobody else reads it: it makes more clients"),
    )


def create_certificates(
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
    from machinectl import certs
    from machinectl.files.fileset import locked_directory, replace_together
    from machinectl.hosts.certificate_files import given_ca

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


def check_ca_key(path: str, ca: certs.Pair) -> None:
    """Refuse to replace a CA's certificate but not its key."""
    from machinectl import certs
    from machinectl.files.fileset import read_regular_file

    if not os.path.lexists(path):
        return
    try:
        certs.ca_pair(ca.certificate, read_regular_file(path), key_file=path)
    except MachineError as exc:
        raise MachineError(
            f"{path} is not the key of the given CA",
            Hint("Choose another directory, or keep that key elsewhere", f"mv {quoted(path)} …"),
        ) from exc


def how_to_replace(directory: str, sans: Sequence[str], client_name: str) -> Hint:
    """Return the commands that replace the certificates."""
    import shlex

    words = ["--out", directory, *(word for san in sans for word in ("--san", san)), "--client-name", client_name]
    again = f"machinectl certs create --force {shlex.join(words)}"
    ca = shlex.join(["--ca-cert", os.path.join(directory, "ca.pem"), "--ca-key", os.path.join(directory, "ca-key.pem")])
    return Hint("Renew under the same CA", f"{again} {ca}") | Hint(
        "or make a new CA, which locks out all clients", again
    )


def certs_issue(here: Session, *, name: str, out: str, client_name: str, force: bool) -> None:
    from machinectl.files.ownership import OUT, check_directory

    check_directory(out, OUT, here.console.warn)
    print_lines([issue_client(here.store, name, out, client_name=client_name, force=force)])
    here.console.note(
        "This access cannot end without locking out others",
        Hint("For access that can, with files as a tool wants them", "machinectl access issue <TOOL>", name),
    )


def issue_client(store: Store, name: str, out_dir: str, *, client_name: str = "client", force: bool = False) -> str:
    """Write a client's files; return a description for the user."""
    from machinectl import certs
    from machinectl.files.fileset import locked_directory, read_regular_file, replace_together
    from machinectl.hosts.certificate_files import check_has_ca, check_has_certificates

    machine = store.read(name)
    check_has_certificates(machine)
    directory = store.directory(name)
    with store.writing(name) as held:
        held.finish_files()
        check_has_ca(machine)
        ca_file, key_file = os.path.join(directory, "ca.pem"), os.path.join(directory, "ca-key.pem")
        if not os.path.lexists(key_file):
            raise MachineError(
                f'The key of the CA of "{name}" is missing ({key_file}): without it, no client certificate can be made',
                Hint("Ask whoever made the CA")
                | Hint("or import its key", f"machinectl certs import {name} <DIR>, with ca-key.pem in DIR"),
            )
        pair = read_regular_file(ca_file), read_regular_file(key_file)
        ca = certs.ca_pair(*pair, ca_file=ca_file, key_file=key_file)
    client = certs.issue_client(ca, client_name)
    files = {"ca.pem": ca.certificate, "cert.pem": client.certificate, "key.pem": client.key}
    with locked_directory(out_dir):
        replace_together(out_dir, files, force=force, hint=Hint("Choose another directory, or replace them: --force"))
    made = certs.describe(client.certificate)
    lines = [
        f"{made.subject}, signed by {made.issuer}, expires on {made.not_after:%Y-%m-%d}.",
        f"Anyone with key.pem is root on every engine of this CA: {name}, and any other that trusts it.",
        "Docker cannot revoke one client: only a new CA locks it out, and with it all the others.",
    ]
    if machine.url.startswith("tcp://"):
        where = f"DOCKER_HOST={quoted(machine.url)} DOCKER_CERT_PATH={quoted(os.path.abspath(out_dir))}"
        lines.append(f"Use it: DOCKER_TLS_VERIFY=1 {where} docker ps")
    return "\n".join(lines)


def certs_import(here: Session, *, name: str, directory: str, force: bool) -> None:
    print_lines(import_certificates(here.store, here.console, name, directory, force=force))


def import_certificates(store: Store, console: Console, name: str, directory: str, *, force: bool = False) -> list[str]:
    """Write all files or none; return their paths.

    `force` also removes the old CA's key and server files.
    """
    from machinectl.hosts.certificate_files import check_has_certificates, files_of_other_ca, read_tls_dir
    from machinectl.hosts.identity import Identity
    from machinectl.machines.selection import waiting
    from machinectl.machines.store.docker_machine import is_shared

    store.check_exists(name)
    new = read_tls_dir(directory)
    with store.writing(name, waiting(console, name)) as held:
        machine = held.machine
        check_has_certificates(machine)
        if machine.url and not machine.url.startswith("tcp://"):
            raise MachineError(
                f"{machine.url} does not use certificates",
                Hint("If the engine listens on TCP", "machinectl set --url tcp://<HOST>:2376", name),
            )
        held.finish_files()
        stale = files_of_other_ca(Identity.read(held.directory), new)
        held.write_files(
            {**new.present, **dict.fromkeys(stale, b"")},
            force=force,
            hint=Hint("Replace them", "machinectl certs import --force", name, directory),
        )
    if is_shared(directory):
        console.note(f"The CA's key stays in {directory}: docker-machine's machines share it")
    if stale:
        console.note(f"Removed what belonged to the CA before: {', '.join(stale)}")
    if not machine.tls:
        console.warn(f'"{name}" is registered without TLS', Hint("Change it", "machinectl set --tls", name))
    return [os.path.join(machine.directory, file) for file in new.present]


def certs_ls(here: Session, *, names: list[str], fail_under: int | None, as_json: bool) -> int:
    from machinectl.cli.tables.results import print_listed, report_all
    from machinectl.cli.tables.text_table import Fitting

    rows, failures = print_listed(
        here,
        names,
        list_certificates,
        HEADINGS,
        Fitting(below="WARNING", spare=("ISSUER", "SUBJECT", "NAMES")),
        as_json=as_json,
    )
    return report_all(here, failures + ([] if fail_under is None else expiry_errors(here.store, rows, fail_under)))


def list_certificates(
    store: Store, names: Sequence[str] | None = None, *, now: datetime | None = None
) -> list[CertificateRow]:
    """A broken file is a row; an unknown name raises."""
    from datetime import UTC, datetime

    from machinectl.machines.selection import matching

    names = matching(names or (), store.names)
    for name in names:
        store.check_exists(name)
    now = now or datetime.now(UTC)
    return [row for name in names or store.names() for row in rows_of(store, name, now)]


def rows_of(store: Store, name: str, now: datetime) -> list[CertificateRow]:
    """Return a row, too, if required certificates are missing or the record is unreadable."""
    from machinectl.hosts.expiry import CertificateRow, certificate_rows
    from machinectl.machines.record import waits_for_access

    rows = list(certificate_rows(name, store.directory(name), now))
    try:
        machine = store.read(name)
    except MachineError as exc:
        return rows or [CertificateRow(name, "machine.json", fault=exc.cause)]
    # Files of a former listener and the key of a request are no certificates in use.
    if machine.engine.ssh_only or waits_for_access(machine):
        return []
    fault = "there are no certificates, and the machine is on TLS"
    return rows or ([CertificateRow(name, "ca.pem", fault=fault)] if machine.tls else [])


def expiry_errors(store: Store, rows: Iterable[CertificateRow], days: int) -> list[MachineError]:
    """Return an error for each machine with certificates that expire within `days`, or cannot be read."""
    from machinectl.hosts.expiry import remaining_time, renewal_command

    by_machine: dict[str, list[CertificateRow]] = {}
    for row in rows:
        if row.days_left is None or row.days_left < days:
            by_machine.setdefault(row.machine, []).append(row)
    return [
        MachineError(
            f'"{name}": {"; ".join(map(remaining_time, under))} (--fail-under {days})',
            renewal_command(store, name, under),
        )
        for name, under in by_machine.items()
    ]
