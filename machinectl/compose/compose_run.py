"""Run docker compose against machines, once their copies of the project's files are up to date."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from machinectl.compose.arguments import DRY_RUN, FILE, PROJECT_NAME, parse, project_directory, project_files
from machinectl.compose.copies import Brought, Copies, read_lists
from machinectl.compose.host_container import Engine
from machinectl.compose.project import read_project, with_files
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.docker_program import engine_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from threading import Event

    from machinectl.console import Console
    from machinectl.machines.store import Store

# Of `down`, besides compose's own.
WITH_FILES = "--files"
DETACHED = {"-d", "--detach", "--wait"}


class ComposeRun:
    """One command line of compose, for one machine or many. The project is read once. Raises UsageError."""

    def __init__(self, store: Store, words: Sequence[str], allowed: Sequence[str]) -> None:
        self.store = store
        self.removes_files = "down" in words and WITH_FILES in words
        self.line = parse([word for word in words if not (self.removes_files and word == WITH_FILES)])
        if "--allow" in self.line.arguments:
            hint = Hint("Put it before the command", "machinectl compose --allow <DIR> <NAME> up")
            raise UsageError("--allow is machinectl's", hint)
        self.is_dry = DRY_RUN in self.line.options or DRY_RUN in self.line.arguments
        self.project = read_project(self.line, os.environ, allowed) if self.line.starts else None

    @property
    def sources(self) -> list[str]:
        return self.project.sources if self.project and not self.is_dry else []

    @property
    def is_detached(self) -> bool:
        return self.line.command not in {"up", "run", "watch"} or bool(DETACHED.intersection(self.line.arguments))

    @contextmanager
    def ready(self, name: str, console: Console) -> Iterator[tuple[list[str], dict[str, str], Callable[[], object]]]:
        """Yield compose's words, its environment, and what brings the copies up to date again. Raises MachineError."""
        with engine_environment(self.store, name) as environment:
            project = self.project
            if not project:
                yield self.words(Brought()), environment, lambda: None
                return
            copies = Copies(self.store, Engine(name, environment), project.directory, project.name)
            brought = (copies.preview if self.is_dry else copies.bring)(project, console)
            refresh = partial(copies.refresh, project, console)
            yield self.words(brought), self.environment(environment, brought), refresh

    def words(self, brought: Brought) -> list[str]:
        line = self.line
        options = [*line.options, *([f"{FILE}={brought.override}"] if brought.override and FILE in line.values else [])]
        # Their directories are gone: they would go on with empty ones.
        anew = ["--force-recreate"] if brought.is_anew and line.command == "up" else []
        return ["compose", *options, *([line.command] if line.command else []), *anew, *line.arguments]

    def environment(self, environment: Mapping[str, str], brought: Brought) -> dict[str, str]:
        if not (brought.override and self.project):
            return dict(environment)
        return with_files(self.line, environment, [*self.project.compose_files, brought.override])

    def remove_copies(self, name: str) -> None:
        """Remove the copies of this project, whose directory may be gone if it is named by -p. Raises MachineError."""
        with engine_environment(self.store, name) as environment:
            engine = Engine(name, environment)
            named = self.line.values.get(PROJECT_NAME, [""])[-1]
            files = project_files(self.line, os.environ)
            directory = project_directory(self.line, files) if files else ""
            for sent in read_lists(self.store, name):
                if sent.project == named or (not named and sent.directory == directory):
                    Copies(self.store, engine, sent.directory, sent.project).remove()


def keep_in_step(sources: Sequence[str], update: Callable[[], object], console: Console, stop: Event) -> None:
    """Call `update` after each change of the sources, until `stop` is set."""
    from watchfiles import watch

    if not sources:
        return
    places = {source if os.path.isdir(source) else os.path.dirname(source) for source in sources}
    for _ in watch(*sorted(places), stop_event=stop, raise_interrupt=False, debounce=100, step=20):
        try:
            update()
        except MachineError as exc:
            console.warn(exc.cause, exc.hint)
