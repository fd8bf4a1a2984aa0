"""The verbs `status` and `version`."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.invocation import OWN_DIRECTORY, own_version
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_value
from machinectl.cli.output.style import is_terminal
from machinectl.errors import Hint, MachineError
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.engine import Probe
    from machinectl.machines.store import Store


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
    name, answer = ask_engine(here.store, names, timeout)
    fields = {
        "Name": name,
        "State": str(answer.state),
        "Version": answer.version,
        "APIVersion": answer.api_version,
        "Error": answer.error,
        "Seconds": round(answer.seconds, 3),
        "Hint": answer.hint,
    }
    print_value(answer.state, fields, as_json=as_json)
    if answer.error and not as_json and is_terminal(sys.stderr):
        # Why the engine does not answer; scripts read `$(machinectl status NAME 2>&1)`.
        report(MachineError(answer.error, answer.hint), here.program)


def ask_engine(store: Store, names: Sequence[str], timeout: float) -> tuple[str, Probe]:
    from machinectl.hosts.identity import settle_pending
    from machinectl.hosts.query_engines import state_of
    from machinectl.machines.selection import chosen_one
    from machinectl.state import State

    machine = store.read_ready(chosen_one(store, names))
    answer = state_of(machine, timeout)
    if answer.state is State.RUNNING:
        settle_pending(store, machine.name, timeout)
    return machine.name, answer


def version(here: Session, *, names: list[str], timeout: float, as_json: bool) -> None:
    from machinectl import __version__

    if not names:
        print_value(own_version(), {"Version": __version__, "Directory": OWN_DIRECTORY}, as_json=as_json)
        return
    name, answer = ask_engine(here.store, names, timeout)
    if not answer.version:
        why = "was not asked: --timeout is 0" if answer.state == "Unknown" else "does not say its version"
        raise MachineError(
            answer.error or f'The engine of "{name}" {why}', answer.hint or Hint("", "machinectl version", name)
        )
    fields = {"Name": name, "Version": answer.version, "APIVersion": answer.api_version}
    print_value(answer.version, fields, as_json=as_json)
