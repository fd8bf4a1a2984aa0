"""The scripts that run on hosts, and what they print: `@name word…` lines, each with its text in `|text` lines."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cache
from typing import NamedTuple

from machinectl.errors import Hint, MachineError, one_line

# The largest file has a fifth of this.
MOST_LINES = 100_000


@cache
def resource(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


class Section(NamedTuple):
    words: list[str]
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Sections(defaultdict[str, list[Section]]):
    def words(self, name: str) -> list[str]:
        """Return the words of the first section, [] if there is none."""
        return self[name][0].words if name in self else []

    def word(self, name: str) -> str:
        return " ".join(self.words(name))

    def text(self, name: str) -> str:
        return self[name][0].text if name in self else ""

    def each(self, name: str) -> list[list[str]]:
        """Return the words of each section that has any."""
        return [section.words for section in self.get(name, ()) if section.words]

    def firsts(self, name: str) -> frozenset[str]:
        return frozenset(words[0] for words in self.each(name))


def parse_sections(text: str) -> Sections:
    """Parse a script's output, from its last `@begin`."""
    found = Sections(list)
    current: Section | None = None
    for line in text.split("\n"):
        if line.startswith("@"):
            name, *words = line[1:].split() or [""]
            if name == "begin":
                found.clear()
            current = Section(words, [])
            found[name].append(current)
        elif line.startswith("|") and current is not None:
            current.lines.append(line[1:])
    return found


def read_answer(output: bytes, what: str) -> Sections:
    """Parse a whole answer, from `@begin` to `@end`; `what` is read. Raises MachineError."""
    if output.count(b"\n") > MOST_LINES:
        raise MachineError(f"The host's answer has more than {MOST_LINES} lines", Hint("Try again with --debug"))
    text = output.decode(errors="replace")
    found = parse_sections(text)
    if "job" in found:
        raise MachineError(
            f"An earlier run is still at work on the host (process {one_line(found.word('job'))})",
            Hint("Wait for it and try again; its log on the host is /run/machinectl/log"),
        )
    if "begin" not in found or "end" not in found:
        last = text.strip().splitlines()[-1:]
        end = f" and ends in {one_line(last[0])!r}" if last else ""
        raise MachineError(f"{what} could not be read: the answer is incomplete{end}", Hint("Try again with --debug"))
    return found
