"""The host's revision file: its last change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import one_line
from machinectl.provision.facts.host_facts import OWN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

# Root only. First line: Revision; rest: the machine's settings as JSON.
PATH = f"{OWN_DIRECTORY}/revision"
MODE = "600"
LONGEST_NUMBER = 18
# More keys of a record's revision.
ENGINE, LABELS = "engine", "labels"


class Revision(NamedTuple):
    """A change: its number, run, time (RFC 3339), and user@computer."""

    number: int = 0
    run: str = ""
    at: str = ""
    by: str = ""

    @classmethod
    def parse(cls, line: str) -> Revision:
        """Parse the file's first line; 0 if invalid."""
        number, run, at, by = [*line.split(" ", 3), "", "", "", ""][:4]
        if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            return cls()
        return cls(int(number), one_line(run), one_line(at), one_line(by))

    @classmethod
    def of_record(cls, kept: Mapping[str, Any]) -> Revision:
        number = kept.get("number")
        texts = [str(kept.get(key, "")) for key in ("run", "at", "by")]
        return cls(number, *texts) if type(number) is int else cls()

    @property
    def line(self) -> str:
        return f"{self.number} {self.run} {self.at} {self.by}"

    @property
    def told(self) -> str:
        return f"{self.by or 'another machinectl'} at {self.at.replace('T', ' ').removesuffix('Z')} UTC"

    def is_news_to(self, known: Revision) -> bool:
        """Return whether `known` lacks this revision. With equal numbers, one run was rolled back.

        An engine that no longer listens has left only a number.
        """
        return self.number > 0 and self.run != "" and self.number >= known.number and self.run != known.run
