"""Say where people look that docker compose finds a file here, and not on the host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.check import OK, Check, unknown
from machinectl.compose.arguments import CommandLine, parse, project_files
from machinectl.compose.copies import read_lists
from machinectl.compose.project import read_project
from machinectl.errors import Hint, MachineError
from machinectl.quantities import first_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.check import Seat
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

TITLE = "compose"


def before_docker(console: Console, names: Sequence[str], words: Sequence[str]) -> None:
    """Note that `docker compose up` will not find its files on machines' hosts."""
    if words[:1] != ["compose"]:
        return
    line = parse(words[1:])
    if line.starts and (absent := absent_files(line)):
        console.note(*files_stay(absent, names[0], line.words))


def absent_files(line: CommandLine) -> list[str]:
    """Return what only this computer has."""
    try:
        project = read_project(line, os.environ, ())
    except MachineError:
        return []
    return [os.path.relpath(source, project.directory) for source in project.sources]


def files_stay(absent: Sequence[str], name: str, words: Sequence[str]) -> tuple[str, Hint]:
    is_one = len(absent) == 1
    seen = f'{first_names(absent)} {"is" if is_one else "are"} here, not on "{name}": containers get empty directories'
    return seen, Hint("To copy them there", "machinectl compose", name, *words)


def checks(store: Store, machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    """Check for copies of projects that are gone here, and for files that a compose file here needs there."""
    for machine in machines:
        for sent in read_lists(store, machine.name):
            if not os.path.isdir(sent.directory):
                remove = Hint(
                    "Remove them", "machinectl compose", machine.name, "--", "-p", sent.project, "down", "--files"
                )
                yield unknown(TITLE, f"{machine.name} has files of {sent.directory}, which is gone", remove)
    name = seat.environment.get("DOCKER_MACHINE_NAME", "")
    line = CommandLine(command="up", arguments=("-d",))
    if not any(machine.name == name for machine in machines) or not project_files(line, seat.environment):
        return
    if (absent := absent_files(line)) and all(sent.directory != os.getcwd() for sent in read_lists(store, name)):
        yield unknown(TITLE, *files_stay(absent, name, line.words))
    elif absent:
        yield Check(TITLE, OK, f"{first_names(absent)}: copied to {name}")
