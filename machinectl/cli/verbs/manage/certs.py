"""The verbs `certs …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import print_lines
from machinectl.cli.tables.fitted_table import Fitting
from machinectl.cli.tables.results import print_listed, report_all
from machinectl.errors import Hint

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session

HEADINGS = ["MACHINE", "FILE", "SUBJECT", "NAMES", "ISSUER", "EXPIRES", "DAYS", "WARNING"]
FITTING = Fitting(below="WARNING", spare=("ISSUER", "SUBJECT", "NAMES"))


def certs_create(
    here: Session, *, out: str, san: list[str], ca_cert: str | None, ca_key: str | None, client_name: str, force: bool
) -> None:
    from machinectl.commands.certs.create import certs_create as command
    from machinectl.files.ownership import OUT, check_directory

    check_directory(out, OUT, here.console.warn)
    print_lines(command(out, san, ca_cert=ca_cert, ca_key=ca_key, client_name=client_name, force=force))
    here.console.note(
        "For the host: ca.pem, server.pem, server-key.pem; for ~/.docker: ca.pem, cert.pem, key.pem",
        Hint("Keep ca-key.pem where nobody else reads it: it makes more clients"),
    )


def certs_issue(here: Session, *, name: str, out: str, client_name: str, force: bool) -> None:
    from machinectl.commands.certs.issue import certs_issue as command
    from machinectl.files.ownership import OUT, check_directory

    check_directory(out, OUT, here.console.warn)
    print_lines([command(here.store, name, out, client_name=client_name, force=force)])
    here.console.note(
        "This access cannot end without locking out others",
        Hint("For access that can, with files as a tool wants them", "machinectl access issue <TOOL>", name),
    )


def certs_import(here: Session, *, name: str, directory: str, force: bool) -> None:
    from machinectl.commands.certs.import_ import certs_import as command

    print_lines(command(here.store, here.console, name, directory, force=force))


def certs_ls(here: Session, *, names: list[str], fail_under: int | None, as_json: bool) -> int:
    from machinectl.commands.certs.ls import certs_ls, expiry_errors

    rows, failures = print_listed(here, names, certs_ls, HEADINGS, FITTING, as_json=as_json)
    return report_all(here, failures + ([] if fail_under is None else expiry_errors(here.store, rows, fail_under)))
