"""Which change of a host was the last, and who made it: what the host itself keeps of that. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import one_line
from machinectl.provision.facts.host_facts import OWN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

# Root's alone: its first line is a Revision, and the rest is what was asked of the engine, as JSON.
PATH = f"{OWN_DIRECTORY}/revision"
MODE = "600"
# More digits than anybody counts to.
LONGEST_NUMBER = 18


class Revision(NamedTuple):
    """A change of a host: its number, the run that made it, when (RFC 3339), and who (user@computer)."""

    number: int = 0
    run: str = ""
    at: str = ""
    by: str = ""

    @classmethod
    def parse(cls, line: str) -> Revision:
        """Read the first line of the file; one that is none is revision 0, as on a host without the file."""
        number, run, at, by = [*line.split(" ", 3), "", "", "", ""][:4]
        if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            return cls()
        return cls(int(number), one_line(run), one_line(at), one_line(by))

    @classmethod
    def of_record(cls, kept: Mapping[str, Any]) -> Revision:
        """Return the revision that a machine's record knows."""
        number = kept.get("number")
        texts = [str(kept.get(key, "")) for key in ("run", "at", "by")]
        return cls(number, *texts) if type(number) is int else cls()

    @property
    def line(self) -> str:
        return f"{self.number} {self.run} {self.at} {self.by}"

    @property
    def told(self) -> str:
        """Who made it and when, for a message."""
        return f"{self.by or 'another machinectl'} at {self.at.replace('T', ' ').removesuffix('Z')} UTC"

    def is_news_to(self, known: Revision) -> bool:
        """Return whether a record that knows another revision does not know this one.

        Of two with the same number, one was never made on the host: its run failed, and was put back.
        """
        return self.number > 0 and self.number >= known.number and self.run != known.run
