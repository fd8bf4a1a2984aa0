"""The verbs `certs …`."""

from __future__ import annotations

from machinectl.cli.declared_verb import PRINTS, Argument, Verb
from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint
from machinectl.machines.flags import DIRECTORY, FILE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


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
    from machinectl.cli.tables.fitted_table import Fitting
    from machinectl.cli.tables.results import print_listed, report_all
    from machinectl.commands.certs.ls import certs_ls, expiry_errors

    rows, failures = print_listed(
        here, names, certs_ls, HEADINGS, Fitting(below="WARNING", spare=("ISSUER", "SUBJECT", "NAMES")), as_json=as_json
    )
    return report_all(here, failures + ([] if fail_under is None else expiry_errors(here.store, rows, fail_under)))
