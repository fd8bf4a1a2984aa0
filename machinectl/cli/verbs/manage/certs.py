"""`certs …` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.catalogue import VERBS
from machinectl.cli.options.typer_verbs import AsJson, Names, new_app, session, verb, with_selector
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.verbs.light_verbs import print_certs

if TYPE_CHECKING:
    from collections.abc import Sequence

Out = Annotated[str, typer.Option("--out", metavar="DIR", help="The directory to write to; it is made.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace files that are there.")]
ClientName = Annotated[str, typer.Option("--client-name", metavar="NAME", help="The client's name in its certificate.")]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `certs`, with its verbs."""
    group = new_app(help=VERBS["certs"].summary, no_args_is_help=True)
    add_making(group)
    add_import(group)
    add_listing(group)
    app.add_typer(group, name="certs")


def add_making(group: typer.Typer) -> None:
    @verb(group, "certs create")
    def create(
        ctx: typer.Context,
        out: Out,
        san: Annotated[list[str], typer.Option("--san", metavar="NAME|ADDRESS", help="What clients call the host.")],
        ca_cert: Annotated[str | None, typer.Option(metavar="FILE", help="A CA that exists.")] = None,
        ca_key: Annotated[str | None, typer.Option(metavar="FILE", help="That CA's key.")] = None,
        client_name: ClientName = "client",
        force: Force = False,
    ) -> None:
        from machinectl.commands.certs.create import certs_create

        written = certs_create(out, san, ca_cert=ca_cert, ca_key=ca_key, client_name=client_name, force=force)
        write_out("".join(f"{path}\n" for path in written))
        session(ctx).console.note(
            "For the host: ca.pem, server.pem, server-key.pem; for ~/.docker: ca.pem, cert.pem, key.pem;\n"
            "keep ca-key.pem where nobody else reads it: it makes more clients."
        )

    @verb(group, "certs issue")
    def issue(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        out: Out,
        client_name: ClientName = "client",
        force: Force = False,
    ) -> None:
        from machinectl.commands.certs.issue import certs_issue

        write_out(certs_issue(session(ctx).store, name, out, client_name=client_name, force=force) + "\n")


def add_import(group: typer.Typer) -> None:
    @verb(group, "certs import")
    def import_(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        directory: Annotated[str, typer.Argument(metavar="DIR")],
        force: Force = False,
    ) -> None:
        from machinectl.commands.certs.import_ import certs_import

        written = certs_import(session(ctx).store, session(ctx).console, name, directory, force=force)
        write_out("".join(f"{path}\n" for path in written))


def add_listing(group: typer.Typer) -> None:
    @verb(group, "certs ls")
    @with_selector
    def ls(
        ctx: typer.Context,
        names: Names = None,
        fail_under: Annotated[
            int | None, typer.Option("--fail-under", min=0, metavar="DAYS", help="Exit 1 if one has fewer days left.")
        ] = None,
        as_json: AsJson = False,
    ) -> int:
        from machinectl.commands.certs.ls import certs_ls, fallen

        here = session(ctx)
        rows = certs_ls(here.store, names)
        if as_json:
            print_json([row.fields() for row in rows])
        else:
            print_certs(rows)
        errors = [] if fail_under is None else fallen(here.store, rows, fail_under)
        for error in errors:
            report(error, here.program)
        return int(bool(errors))
