"""The verbs `status` and `version`."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.invocation import OWN_DIRECTORY, own_version
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_value
from machinectl.cli.output.style import is_terminal
from machinectl.errors import MachineError
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


VERBS = {
    "status": Verb(
        "status",
        examples=("machinectl status orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
    ),
    "version": Verb(
        "version",
        examples=("machinectl version orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
    ),
}


def status(here: Session, *, names: list[str], timeout: float, as_json: bool) -> None:
    from machinectl.commands.status import status as command
    from machinectl.commands.status import status_fields

    name, found = command(here.store, names, timeout)
    print_value(found.state, status_fields(name, found), as_json=as_json)
    if found.error and not as_json and is_terminal(sys.stderr):
        # Why the engine does not answer; scripts read `$(machinectl status NAME 2>&1)`.
        report(MachineError(found.error, found.hint), here.program)


def version(here: Session, *, names: list[str], timeout: float, as_json: bool) -> None:
    from machinectl import __version__

    if not names:
        print_value(own_version(), {"Version": __version__, "Directory": OWN_DIRECTORY}, as_json=as_json)
        return
    from machinectl.commands.status import engine_version

    name, found = engine_version(here.store, names, timeout)
    fields = {"Name": name, "Version": found.version, "APIVersion": found.api_version}
    print_value(found.version, fields, as_json=as_json)
