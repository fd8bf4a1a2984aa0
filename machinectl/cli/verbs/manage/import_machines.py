"""The verb `import`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.cli.output.exit_status import as_called, report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import MachineError, UsageError
from machinectl.files.atomic import quote_path

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.machines.docker_machine.store_import import ImportedMachine

# docker save and docker export write these.
ARCHIVES = (".tar", ".tgz", ".gz")
UNTOUCHED = "docker-machine's store and the hosts did not change"


def import_machines(
    here: Session, *, directory: str, from_docker_machine: bool, no_context: bool, dry_run: bool
) -> int:
    from machinectl.commands.import_ import import_ as command

    if not from_docker_machine and os.path.splitext(directory)[1] in ARCHIVES:
        raise UsageError(
            "Error: import takes over docker-machine's store, and loads no image",
            f"Send the image to a machine: machinectl push --from-file {quote_path(directory)} <IMAGE> <NAME>",
        )
    if not from_docker_machine:
        raise UsageError("Error: the source is missing", "Name it: machinectl import --from-docker-machine")
    became: dict[str, ImportedMachine] = {}
    failed = False
    for name, moved in command(here.store, here.console, directory, context=not no_context, dry_run=dry_run):
        if isinstance(moved, MachineError):
            report(moved, here.program)
            failed = True
            continue
        became[name] = moved
        write_out(as_called(import_line(name, moved, dry_run=dry_run), here.program) + "\n")
        for remark in moved.remarks:
            here.console.warn(f'"{name}": {as_called(remark, here.program)}')
    here.console.note(ending(became, here.program, failed=failed, dry_run=dry_run))
    return int(failed)


def import_line(name: str, moved: ImportedMachine, *, dry_run: bool) -> str:
    if moved.here is None:
        return f"{name}: not taken over: {moved.why_not}"
    if not moved.new:
        return f"{name}: here already" + ("" if moved.here.name == name else f', as "{moved.here.name}"')
    return f"{name}: {'would be taken' if dry_run else 'taken'} over, {moved.here.driver} at {moved.here.url}"


def ending(became: dict[str, ImportedMachine], program: str, *, failed: bool, dry_run: bool) -> str:
    if not became and not failed:
        return "docker-machine has no machines there"
    if dry_run:
        return "Nothing was changed"
    hosts = [moved.here.name for moved in became.values() if moved.here and moved.new and moved.here.driver != "none"]
    if not any(moved.new for moved in became.values()):
        return "Nothing was taken over" if failed else "There is nothing more to take over"
    if not hosts:
        return UNTOUCHED
    example = hosts[0] if len(hosts) == 1 else "<NAME>"
    return f"{UNTOUCHED}. Take a host over, too, when its old clients may go: {program} provision {example}"
