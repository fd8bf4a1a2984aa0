"""The verbs `status` and `version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import __version__
from machinectl.cli.invocation import OWN_DIRECTORY, own_version
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


def status(here: Session, *, names: list[str], timeout: float, as_json: bool) -> None:
    from machinectl.commands.status import status as command
    from machinectl.commands.status import status_fields

    name, found = command(here.store, names, timeout)
    if as_json:
        print_json(status_fields(name, found))
    else:
        write_out(f"{found.state}\n")
        if found.error:
            # Why the engine does not answer.
            report(MachineError(found.error, found.hint), here.program)


def version(here: Session, *, names: list[str], timeout: float, as_json: bool) -> None:
    if not names:
        print_own_version(as_json=as_json)
        return
    from machinectl.commands.status import engine_version

    name, found = engine_version(here.store, names, timeout)
    if as_json:
        print_json({"Name": name, "Version": found.version, "APIVersion": found.api_version})
    else:
        write_out(f"{found.version}\n")


def print_own_version(*, as_json: bool) -> None:
    if as_json:
        print_json({"Version": __version__, "Directory": OWN_DIRECTORY})
    else:
        write_out(f"{own_version()}\n")
