"""Label selectors like kubectl's: `role=web,rack in (a,b),!spare`; all parts must match.

Grammar: kubernetes.io/docs/concepts/overview/working-with-objects/labels, labels/selector.go of k8s.io/apimachinery.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORD = r"[^\s=!(),<>]+"
REQUIREMENT = re.compile(
    rf"\s*(?:!\s*(?P<missing>{WORD})|(?P<key>{WORD})"
    rf"(?:\s*(?P<sign>==?|!=)\s*(?P<value>(?:{WORD})?)"
    rf"|\s+(?P<kind>in|notin)\s*\(\s*(?P<set>(?:{WORD})?(?:\s*,\s*(?:{WORD})?)*)\s*\))?)"
    r"\s*(?P<end>,|\Z)"
)
SYNTAX = Hint(
    "Write: role=web, role!=web, 'role in (web,db)', 'role notin (web,db)', role, '!role'; commas join several"
)


class Selector(NamedTuple):
    """Per requirement a key, its values (None: any), and whether they are wanted: else, no such label matches, too."""

    requirements: Sequence[tuple[str, frozenset[str] | None, bool]]

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(
            (key in labels and (values is None or labels[key] in values)) is wanted
            for key, values, wanted in self.requirements
        )


def parse_selector(text: str) -> Selector:
    """Parse a selector. Raises UsageError with the column, also for an empty one."""
    if not text.strip():
        raise UsageError("--selector is empty, and would select all machines", SYNTAX)
    found, at, more = [], 0, True
    while more:
        match = REQUIREMENT.match(text, at)
        if not match:
            raise UsageError(f"--selector {text!r} is wrong from character {at + 1} on", SYNTAX)
        found.append(requirement(match))
        at, more = match.end(), bool(match["end"])
    return Selector(found)


def requirement(match: re.Match[str]) -> tuple[str, frozenset[str] | None, bool]:
    if match["missing"]:
        return match["missing"], None, False
    if match["sign"]:
        return match["key"], frozenset({match["value"]}), match["sign"] != "!="
    if match["kind"]:
        return match["key"], frozenset(word.strip() for word in match["set"].split(",")), match["kind"] == "in"
    return match["key"], None, True
