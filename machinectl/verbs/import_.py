"""The verb `import`."""

from __future__ import annotations

import os
from contextlib import suppress

from machinectl.cli.catalogue import Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.machines.flags import FILE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.cli.verb_session import Session
    from machinectl.exports.docker_machine_import import ImportedMachine


VERBS = {
    "import": Verb(
        "import_machines",
        more=(
            "FILE is what `machinectl export` wrote; - is stdin. LOCAL:NAME gives a machine another name here. "
            "Machines that are here already stay as they are. Hosts and docker-machine's store do not change."
        ),
        examples=(
            "machinectl import laptop.age",
            "machinectl import laptop.age --identity ~/.ssh/id_ed25519 orionbox",
            "machinectl import --from-docker-machine --dry-run",
            "machinectl import --from-docker-machine",
        ),
        arguments=(
            Argument(
                "source",
                "[FILE|DIR]",
                FILE,
                help="The export; or docker-machine's store (else $MACHINE_STORAGE_PATH, else ~/.docker/machine).",
            ),
            Argument("wanted", "[[LOCAL:]NAME]…", TEXT, many=True),
        ),
        flags=(
            Flag("--from-docker-machine", help="Import from docker-machine."),
            Flag("--passphrase-file", metavar="FILE", help="A file with the export's passphrase.", value=FILE),
            Flag(
                "-i",
                "--identity",
                metavar="FILE",
                help="The private key that opens the export: age-keygen's, or an SSH key.",
                value=FILE,
                many=True,
            ),
            Flag("--no-context", help="Create no docker contexts."),
            shared.DRY_RUN_HERE,
        ),
        refuses_empty=True,
    ),
}


def import_machines(
    here: Session,
    *,
    source: str,
    wanted: list[str],
    from_docker_machine: bool,
    passphrase_file: str,
    identity: list[str],
    no_context: bool,
    dry_run: bool,
) -> int:
    if from_docker_machine:
        if wanted or passphrase_file or identity:
            given = wanted[0] if wanted else "--passphrase-file" if passphrase_file else "--identity"
            raise UsageError(
                f"--from-docker-machine imports all machines of a store, which is not encrypted: omit {given}",
                Hint("Import them, and forget the others", "machinectl import --from-docker-machine", source),
            )
        return import_from_docker_machine(here, source, context=not no_context, dry_run=dry_run)
    if not source:
        raise UsageError(
            "FILE is missing",
            Hint("Import your other computer's export", "machinectl import <FILE>")
            | Hint("or docker-machine's machines", "machinectl import --from-docker-machine"),
        )
    if os.path.isdir(source):
        raise UsageError(
            f"{source} is a directory, and an export is a file",
            Hint("If it is docker-machine's store", "machinectl import --from-docker-machine", source),
        )
    from machinectl.exports.export_document import STDIN, read_export
    from machinectl.exports.restoring import import_export
    from machinectl.machines.tls_warnings import advise

    can_ask = here.console.interactive
    if source == STDIN:
        # getpass can ask at the terminal although stdin is a pipe.
        with suppress(AttributeError, OSError):
            os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
            can_ask = True
    document = read_export(source, here.console, identity, passphrase_file, can_ask=can_ask)
    if document.made:
        here.console.note(f"Exported on {document.made} by {document.by}")
    run = import_export(here.store, here.console, document, wanted, context=not no_context, dry_run=dry_run)
    results, failed = print_results(here, run, dry_run=dry_run)
    if dry_run:
        here.console.note("Nothing was changed")
        return int(failed)
    for imported in results:
        if imported.new:
            advise(here.console, imported.here)
    return int(failed)


def import_from_docker_machine(here: Session, directory: str, *, context: bool, dry_run: bool) -> int:
    from machinectl.exports.docker_machine_import import import_docker_machine

    run = import_docker_machine(here.store, here.console, directory, context=context, dry_run=dry_run)
    results, failed = print_results(here, run, dry_run=dry_run)
    hosts = [imported.here.name for imported in results if imported.new and imported.here.driver != "none"]
    if not results and not failed:
        here.console.note("docker-machine has no machines there")
    elif dry_run:
        here.console.note("Nothing was changed")
    elif not any(imported.new for imported in results):
        here.console.note("Nothing was imported" if failed else "There is nothing more to import")
    else:
        example = hosts[0] if len(hosts) == 1 else "<NAME>"
        again = Hint("Set a host up anew, which locks docker-machine's clients out", "machinectl provision", example)
        here.console.note("docker-machine's store and the hosts did not change", again if hosts else NO_HINT)
    return int(failed)


def print_results(
    here: Session, results: Iterable[tuple[str, ImportedMachine | MachineError]], *, dry_run: bool
) -> tuple[list[ImportedMachine], bool]:
    """Print each as it comes; return those without an error, and whether there was one."""
    from machinectl.exports.docker_machine_records import OtherDriver

    imported: list[ImportedMachine] = []
    failed = False
    for name, result in results:
        if isinstance(result, OtherDriver):
            here.console.warn(result.cause, result.hint)
            write_out(f"{name}: skipped\n")
            continue
        if isinstance(result, MachineError):
            report(result, here.program)
            write_out(f"{name}: {'would not be ' if dry_run else 'not '}imported\n")
            failed = True
            continue
        imported.append(result)
        other = "" if result.here.name == name else f', as "{result.here.name}"'
        what = f"{'would be ' * dry_run}imported (driver {result.here.driver}, {result.here.url})"
        write_out(f"{name}: {what if result.new else f'here already{other}'}\n")
        for text, hint in result.remarks:
            here.console.warn(f'"{name}": {text}', hint)
    return imported, failed
