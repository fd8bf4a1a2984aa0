"""The verbs `fleet init`, `fleet import` and `fleet schema`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.stdout import print_json, write_file
from machinectl.errors import Hint
from machinectl.machines.flags import FILE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console


VERBS = {
    "fleet": Verb(
        "",
        examples=(
            "machinectl fleet init -o fleet.yaml",
            "machinectl fleet import inventory.ini -o fleet.yaml",
            "machinectl fleet schema > fleet.schema.json",
        ),
    ),
    "fleet import": Verb(
        "fleet_import",
        more="Skipped entries are listed with the reason.",
        examples=("machinectl fleet import inventory.ini -o fleet.yaml", "machinectl fleet import ~/.ssh/config"),
        arguments=(Argument("file", "FILE", FILE, required=True),),
        flags=(
            Flag(
                "--from",
                metavar="ansible|ssh-config",
                help="The file's format (default: detect it).",
                parameter="kind",
                value=("ansible", "ssh-config"),
            ),
            shared.NEW_FILE,
        ),
        output=PRINTS,
    ),
    "fleet init": Verb(
        "fleet_init",
        more="Without names, it takes all machines.",
        examples=("machinectl fleet init -o fleet.yaml",),
        arguments=(shared.NAMES,),
        flags=(shared.NEW_FILE,),
        output=PRINTS,
    ),
    "fleet schema": Verb(
        "fleet_schema",
        more="It has the options of all installed drivers.",
        examples=("machinectl fleet schema > fleet.schema.json",),
        output=PRINTS,
    ),
}


def fleet_init(here: Session, *, names: list[str], output: str) -> None:
    from machinectl.fleet.new_fleet import fleet_init as command

    hand_over(command(here.store, here.console, names, os.path.dirname(output)), output, here.console)


def fleet_import(here: Session, *, file: str, kind: str, output: str) -> None:
    from machinectl.fleet.importing import Notes, import_file

    notes = Notes(file)
    try:
        text = import_file(file, kind, here.store.names(), notes)
    finally:
        for note in notes.lines:
            here.console.warn(note)
    hand_over(text, output, here.console)


def fleet_schema(here: Session) -> None:
    from machinectl.fleet.fleet_keys import Drivers
    from machinectl.fleet.json_schema import make_schema

    drivers = Drivers()
    schema = make_schema(drivers)
    for error in drivers.broken():
        here.console.warn(f"{error.cause}: its options are left out")
    print_json(schema)


def hand_over(text: str, path: str, console: Console) -> None:
    if path in {"", "-"}:
        write_file(text)
        return
    from machinectl.files.user_files import write_new_file

    write_new_file(path, text)
    console.note(f"{path} is written", Hint("See the changes", "machinectl plan -f", path))
