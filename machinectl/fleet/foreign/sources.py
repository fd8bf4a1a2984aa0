"""Hosts of other programs' files, and notes on skipped parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from machinectl.errors import MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.fleet.syntax.faults import file_error
from machinectl.fleet.syntax.yaml_errors import LONGEST_FILE, NotADocument, decoded


@dataclass(frozen=True)
class Spot:
    """`path` is the user's name for the file."""

    path: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class WrongSource(MachineError):
    def __init__(self, spot: Spot, why: str, hint: str = "Correct it, or name its kind: --from") -> None:
        super().__init__(f"{spot}: {one_line(why)}", hint)


@dataclass(frozen=True)
class ImportedHost:
    """`jump` is ProxyJump's value: [user@]host[:port], comma-separated."""

    name: str
    spot: Spot
    address: str
    user: str = ""
    port: str = ""
    key: str = ""
    jump: str = ""
    groups: tuple[str, ...] = ()


@dataclass
class Notes:
    """Remarks on skipped parts, each once."""

    lines: dict[str, None] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def add(self, spot: Spot, text: str) -> None:
        self.lines[f"{spot}: {one_line(text)}"] = None

    def once(self, about: str, spot: Spot, text: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self.add(spot, text)


def contents(path: str) -> str:
    """Read a text file. Raises MachineError."""
    try:
        data = read_file(path, LONGEST_FILE)
    except (OSError, ValueError) as exc:
        raise MachineError(
            f"{one_line(path)} cannot be read: {file_error(exc)}", "Name an inventory or an ssh_config"
        ) from exc
    try:
        return decoded(data)
    except NotADocument as wrong:
        raise WrongSource(Spot(path, wrong.place.line), wrong.why, "Correct it, or name another file") from wrong
