"""The verb `import`."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError, one_line
from machinectl.machines.flags import FILE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.cli.options.verb_session import Session
    from machinectl.exports.store_import import ImportedMachine


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


# docker save and docker export write these.
ARCHIVES = (".tar", ".tgz", ".gz")


# Bytes that tell whether age wrote a file.
AGE_HEADER = 64


UNTOUCHED = "docker-machine's store and the hosts did not change"


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
    from machinectl.machines.tls_warnings import advise

    if from_docker_machine:
        if wanted:
            raise UsageError(
                f"--from-docker-machine imports all machines of a store, not {wanted[0]} alone",
                Hint("Import them, and forget the others", "machinectl import --from-docker-machine", source),
            )
        if passphrase_file or identity:
            option = "--passphrase-file" if passphrase_file else "--identity"
            raise UsageError(
                f"{option} opens an export, and docker-machine's store is not encrypted", Hint(f"Omit {option}")
            )
        return import_from_docker_machine(here, source, context=not no_context, dry_run=dry_run)
    check_is_export(source)
    from machinectl.commands.import_export import STDIN, import_export, read_export

    can_ask = here.console.interactive or (source == STDIN and has_terminal())
    document = read_export(source, here.console, identities=identity, passphrase_file=passphrase_file, can_ask=can_ask)
    if document.made:
        here.console.note(f"Exported on {shown_time(document.made)} by {document.by}")
    run = import_export(here.store, here.console, document, wanted, context=not no_context, dry_run=dry_run)
    became, failed = print_results(here, run, "import" if dry_run else "imported", dry_run=dry_run)
    if dry_run:
        here.console.note("Nothing was changed")
    for moved in became.values():
        if moved.new and moved.here and not dry_run:
            advise(here.console, moved.here)
    return int(failed)


def check_is_export(source: str) -> None:
    """Raise UsageError for what is certainly none."""
    store = Hint("If it is docker-machine's store", "machinectl import --from-docker-machine", source)
    if os.path.splitext(source)[1] in ARCHIVES:
        raise UsageError(
            "import takes over docker-machine's store, and loads no image",
            Hint("Send the image to a machine", "machinectl push --from-file", source, "<IMAGE>", "<NAME>"),
        )
    if not source:
        raise UsageError("The source is missing", Hint("Name the export", "machinectl import <FILE>"))
    if os.path.isdir(source):
        raise UsageError(f"{source} is a directory, and an export is a file", store)


def is_export(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    from machinectl.exports.age import is_age_file
    from machinectl.files.atomic import open_without_waiting

    try:
        with open(open_without_waiting(path, os.O_RDONLY), "rb") as file:
            return is_age_file(file.read(AGE_HEADER))
    except OSError:
        return False


def has_terminal() -> bool:
    """Return whether getpass can ask, although stdin is a pipe."""
    try:
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
    except (AttributeError, OSError):
        return False
    return True


def shown_time(made: str) -> str:
    """Return RFC 3339 as other messages show times; another program's text as it is."""
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromisoformat(made).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return made


def import_from_docker_machine(here: Session, directory: str, *, context: bool, dry_run: bool) -> int:
    from machinectl.commands.import_docker_machine import import_docker_machine as command

    if is_export(directory):
        raise UsageError(
            f"{directory} is an export, and no store of docker-machine",
            Hint("Import it", "machinectl import", directory),
        )
    run = command(here.store, here.console, directory, context=context, dry_run=dry_run)
    became, failed = print_results(here, run, "take over" if dry_run else "taken over", dry_run=dry_run)
    here.console.note(*ending(became, failed=failed, dry_run=dry_run))
    return int(failed)


def print_results(
    here: Session, results: Iterable[tuple[str, ImportedMachine | MachineError]], what: str, *, dry_run: bool
) -> tuple[dict[str, ImportedMachine], bool]:
    """Print each as it comes; return those without an error, and whether there was one."""
    became: dict[str, ImportedMachine] = {}
    failed = False
    for name, moved in results:
        if isinstance(moved, MachineError):
            report(moved, here.program)
            write_out(f"{name}: {'would ' * dry_run}not {what}: {one_line(moved.cause)}\n")
            failed = True
            continue
        became[name] = moved
        write_out(import_line(name, moved, what, dry_run=dry_run) + "\n")
        if moved.left_out:
            here.console.note(f'"{name}" is left out', moved.left_out.hint)
        for text, hint in moved.remarks:
            here.console.warn(f'"{name}": {text}', hint)
    return became, failed


def import_line(name: str, moved: ImportedMachine, what: str, *, dry_run: bool) -> str:
    if moved.here is None:
        return f"{name}: not taken over: {moved.left_out.cause if moved.left_out else ''}"
    if not moved.new:
        return f"{name}: here already" + ("" if moved.here.name == name else f', as "{moved.here.name}"')
    return f"{name}: {'would ' * dry_run}{what} (driver {moved.here.driver}, {moved.here.url})"


def ending(became: dict[str, ImportedMachine], *, failed: bool, dry_run: bool) -> tuple[str, Hint]:
    if not became and not failed:
        return "docker-machine has no machines there", NO_HINT
    if dry_run:
        return "Nothing was changed", NO_HINT
    new = [moved.here for moved in became.values() if moved.here and moved.new]
    if not new:
        return ("Nothing was taken over" if failed else "There is nothing more to take over"), NO_HINT
    hosts = [machine.name for machine in new if machine.driver != "none"]
    if not hosts:
        return UNTOUCHED, NO_HINT
    example = hosts[0] if len(hosts) == 1 else "<NAME>"
    return UNTOUCHED, Hint(
        "Set a host up anew, which locks docker-machine's clients out", "machinectl provision", example
    )
