"""The verbs `fleet init`, `fleet import` and `fleet schema`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import print_json, write_file
from machinectl.errors import Hint

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.console import Console


def fleet_init(here: Session, *, names: list[str], output: str) -> None:
    from machinectl.commands.fleet.init import fleet_init as command

    hand_over(command(here.store, here.console, names, os.path.dirname(output)), output, here.console)


def fleet_import(here: Session, *, file: str, kind: str, output: str) -> None:
    from machinectl.commands.fleet.import_ import fleet_import as command

    hand_over(command(here.store, here.console, file, kind), output, here.console)


def fleet_schema(here: Session) -> None:
    from machinectl.commands.fleet.schema import fleet_schema as command

    print_json(command(here.console))


def hand_over(text: str, path: str, console: Console) -> None:
    if path in {"", "-"}:
        write_file(text)
        return
    from machinectl.fleet.writing.new_file import write_new_file

    write_new_file(path, text)
    console.note(f"{path} is written", Hint("See the changes", "machinectl plan -f", path))
