"""Read docker compose's command line, and find the files that it would find."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The options before the command that take a value: docker/compose, cmd/compose/compose.go.
LONG = {"-f": "--file", "-p": "--project-name", "--workdir": "--project-directory"}
FILE, PROJECT_NAME, DIRECTORY = "--file", "--project-name", "--project-directory"
WITH_VALUE = {FILE, PROJECT_NAME, DIRECTORY, "--env-file", "--profile", "--ansi", "--progress", "--parallel"}
PATHS = {FILE, DIRECTORY, "--env-file"}
DRY_RUN = "--dry-run"
# The commands that make or start containers, which then need the files.
STARTING = {"up", "create", "run", "scale", "watch", "start", "restart"}
# compose-go, cli/options.go: DefaultFileNames, DefaultOverrideFileNames.
FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
ENVIRONMENT_FILE = ".env"
# Separates the files in COMPOSE_FILE, as no path has it.
SEPARATOR = "\n"


@dataclass(frozen=True)
class CommandLine:
    """`options` stand before the command, with absolute paths; values of a flag are by its long name."""

    options: tuple[str, ...] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    command: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def starts(self) -> bool:
        return self.command in STARTING and not {"-h", "--help"}.intersection(self.arguments)

    @property
    def words(self) -> list[str]:
        return [*self.options, *([self.command] if self.command else []), *self.arguments]


def parse(words: Sequence[str]) -> CommandLine:
    """Raise UsageError for a compose file on stdin, which would be read more than once."""
    options: list[str] = []
    values: dict[str, list[str]] = {}
    left = list(words)
    while left and left[0].startswith("-"):
        word = left.pop(0)
        flag, value = split(word)
        if flag not in WITH_VALUE:
            options.append(word)
            continue
        if value is None:
            if not left:
                options.append(word)
                break
            value = left.pop(0)
        if flag == FILE and value == "-":
            raise UsageError("The compose file cannot come from stdin", Hint("Save it, and pass -f <FILE>"))
        value = os.path.abspath(value) if flag in PATHS else value
        values.setdefault(flag, []).append(value)
        options.append(f"{flag}={value}")
    return CommandLine(tuple(options), values, left[0] if left else "", tuple(left[1:]))


def split(word: str) -> tuple[str, str | None]:
    """Return a flag's long name and its value, None if that is the next word: `-fFILE`, `-f=FILE`, `--file=FILE`."""
    flag, equals, value = word.partition("=")
    if word[:2] in LONG and len(flag) > len("-f"):
        return LONG[word[:2]], word[len("-f") :]
    return LONG.get(flag, flag), value if equals else None


def project_files(line: CommandLine, environment: Mapping[str, str]) -> list[str]:
    """Return the absolute paths of the compose files; an empty list if there is none."""
    if FILE in line.values:
        return list(line.values[FILE])
    directory = line.values.get(DIRECTORY, [working_directory(environment)])[-1]
    settings = {**dict(settings_in(os.path.join(directory, ENVIRONMENT_FILE))), **environment}
    if named := settings.get("COMPOSE_FILE"):
        separator = settings.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [os.path.abspath(path) for path in named.split(separator)]
    while not (found := first_of(directory, FILE_NAMES)):
        above = os.path.dirname(directory)
        if above == directory:
            return []
        directory = above
    return [*found, *first_of(directory, OVERRIDES)]


def working_directory(environment: Mapping[str, str]) -> str:
    """Return $PWD, as Go does: a project has the name of its directory, which may be a link."""
    shown = environment.get("PWD", "")
    return shown if os.path.isabs(shown) and os.path.realpath(shown) == os.getcwd() else os.getcwd()


def first_of(directory: str, names: Sequence[str]) -> list[str]:
    return [path for name in names if os.path.isfile(path := os.path.join(directory, name))][:1]


def settings_in(path: str) -> Iterator[tuple[str, str]]:
    """Yield what a .env file sets for compose's own search."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return
    for name, value in re.findall(r"(?m)^\s*(?:export\s+)?(COMPOSE_FILE|COMPOSE_PATH_SEPARATOR)\s*=(.*)$", text):
        yield name, value.strip().strip("\"'")


def project_directory(line: CommandLine, files: Sequence[str]) -> str:
    return line.values.get(DIRECTORY, [os.path.dirname(files[0])])[-1]
