"""The verbs `context …`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import Hint, MachineError
from machinectl.machines.flags import TEXT
from machinectl.quantities import first_names
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


VERBS = {
    "context": Verb(
        "",
        examples=("machinectl context ls", "machinectl context sync", "machinectl context import theirs orionbox"),
    ),
    "context import": Verb(
        "context_import",
        more="The context does not change, and stays yours.",
        examples=("machinectl context import theirs", "machinectl context import their_engine orionbox"),
        arguments=(Argument("context", "CONTEXT", TEXT, required=True), Argument("name", "[NAME]", TEXT)),
    ),
    "context ls": Verb(
        "context_ls",
        examples=("machinectl context ls",),
        flags=(shared.JSON,),
        output=PRINTS,
    ),
    "context sync": Verb(
        "context_sync",
        more="It does not touch your own contexts.",
        examples=("machinectl context sync",),
        flags=(shared.SELECTOR,),
        keeps_selector=True,
    ),
}


def context_ls(here: Session, *, as_json: bool) -> None:
    from machinectl.cli.tables.text_table import print_fields
    from machinectl.docker_cli.context_sync import swarm_context_statuses
    from machinectl.docker_cli.contexts import Contexts
    from machinectl.docker_cli.followers import SWITCH, is_switched_off
    from machinectl.docker_cli.machine_contexts import context_statuses
    from machinectl.engine.docker_context import current_context

    docker = Contexts()
    statuses = [*context_statuses(docker, here.store), *swarm_context_statuses(docker, here.store)]
    current = current_context(docker.config, os.environ).name
    rows = [
        {
            "Name": status.machine,
            # None unless it is ours.
            "Context": status.machine if status.is_there else None,
            "Current": status.is_there and status.machine == current,
            "InStep": status.is_in_sync,
            "Why": status.why,
        }
        for status in statuses
    ]
    if as_json:
        print_json(rows)
        return
    shown = [
        {**row, "Current": "*" if row["Current"] else "", "State": status.summary}
        for row, status in zip(rows, statuses, strict=True)
    ]
    columns = {"NAME": "Name", "CONTEXT": "Context", "CURRENT": "Current", "STATE": "State"}
    print_fields(columns, shown, as_json=False)
    here.note_empty_store()
    out_of_step: dict[Hint, list[str]] = {}
    for status in statuses:
        if not status.is_in_sync:
            out_of_step.setdefault(status.hint, []).append(status.machine)
    for hint, names in out_of_step.items():
        here.console.note(f"Not in step: {first_names(names)}", hint)
    if is_switched_off():
        here.console.note(f"{SWITCH}={os.environ[SWITCH]}: contexts do not follow what becomes of machines")


def context_sync(here: Session, *, selector: str | None) -> int:
    from machinectl.docker_cli.context_sync import sync_contexts
    from machinectl.docker_cli.followers import SWITCH, is_switched_off
    from machinectl.machines.selection import selected

    if is_switched_off():
        raise MachineError(
            f"Contexts are switched off: {SWITCH}={os.environ[SWITCH]}", Hint("Turn them on", "unset", SWITCH)
        )
    only = None if selector is None else selected(here.store, here.console, [], selector)
    repaired = failed = False
    for found, error in sync_contexts(here.store, here.console, only):
        if error:
            report(error, here.program)
            failed = True
        else:
            write_out(f"{found.machine}: {found.outcome}\n")
            repaired = True
    if not (repaired or failed):
        here.console.note("All contexts are in step")
    return int(failed)


def context_import(here: Session, *, context: str, name: str) -> None:
    from machinectl.docker_cli.context_sync import context_source
    from machinectl.driver.installed_drivers import load
    from machinectl.hosts.creation import Creation, create_machine
    from machinectl.hosts.login import Login
    from machinectl.machines.spec import CertificateFiles, MachineSpec

    machine = name or context
    url, directory, is_ours = context_source(here.store, context, machine)
    plain = False if url.startswith("tcp://") and not directory else None
    spec = MachineSpec("none", {"url": url}, plain, provision=False, context=is_ours)
    create_machine(
        here.store,
        here.console,
        Creation(machine, spec, load("none"), Login(), certificates=CertificateFiles(directory)),
    )
    here.console.note(f'"{machine}" is the engine of the docker context "{context}" now: {url}')
