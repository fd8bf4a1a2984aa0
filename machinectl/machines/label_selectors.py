"""Label selectors like kubectl's: `role=web,rack in (a,b),!spare`; all parts must match.

Grammar: kubernetes.io/docs/concepts/overview/working-with-objects/labels, labels/selector.go of k8s.io/apimachinery.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True)
class Requirement:
    """`values` None: any value. If not `wanted`, machines without the label match, too."""

    key: str
    values: frozenset[str] | None = None
    wanted: bool = True

    def holds(self, labels: Mapping[str, str]) -> bool:
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found is self.wanted


@dataclass(frozen=True)
class Selector:
    requirements: tuple[Requirement, ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(each.holds(labels) for each in self.requirements)


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
    return Selector(tuple(found))


def requirement(match: re.Match[str]) -> Requirement:
    if match["missing"]:
        return Requirement(match["missing"], wanted=False)
    if match["sign"]:
        return Requirement(match["key"], frozenset({match["value"]}), wanted=match["sign"] != "!=")
    if match["kind"]:
        values = frozenset(word.strip() for word in match["set"].split(","))
        return Requirement(match["key"], values, wanted=match["kind"] == "in")
    return Requirement(match["key"])
