"""Print what a dry run found: what would be done, with diffs in colour."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import draw
from machinectl.cli.output.style import BOLD, GREEN, RED, coloured, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.hosts.host_plan import HostPlan, Outcome

# Titles of steps begin with a present participle, and may have a second one after "and". These have lost an e, or have
# doubled a letter.
WITHOUT_E = {
    "clos",
    "configur",
    "disabl",
    "giv",
    "leav",
    "mak",
    "remov",
    "restor",
    "tak",
    "authoriz",
    "upgrad",
    "prepar",
}
DOUBLED = {"forgett", "lett", "shutt", "stopp", "sett"}
STEP = re.compile(r"(?:^|(?<= and ))\w+ing\b")
# By a diff line's beginning; the file names are bold.
DIFF_COLOURS = {"--- ": BOLD, "+++ ": BOLD, "@@ ": "36", "+": GREEN, "-": RED}
INDENT = "    "


NOTHING = "Nothing was changed"


def print_plan(plan: HostPlan) -> None:
    draw("".join(f"{line}\n" for line in (*plan_report(plan), NOTHING)))


def plan_report(plan: HostPlan) -> Iterator[str]:
    yield from (wrapped(harmless(line), sys.stdout) for line in plan.found)
    changes = [each for each in plan.outcomes if each.changed]
    for change in changes:
        first, *details = outcome_lines(change)
        yield wrapped(first[0].upper() + first[1:], sys.stdout)
        yield from (INDENT + line for line in details)
    if plan.outcomes and not changes:
        yield "All is as it should be: nothing would be done"


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Return "would install Docker Engine", and the details."""
    yield escaped_line(conditional(outcome.title))
    yield from map(coloured_detail, outcome.details)


def conditional(title: str) -> str:
    """Return "would install …" for "Installing …"."""
    if not STEP.match(title.lower()):
        return title
    return "would " + STEP.sub(lambda word: infinitive(word[0].lower()), title)


def infinitive(participle: str) -> str:
    stem = participle.removesuffix("ing")
    return f"{stem}e" if stem in WITHOUT_E else stem[:-1] if stem in DOUBLED else stem


def coloured_detail(text: str) -> str:
    colour = next((colour for begin, colour in DIFF_COLOURS.items() if text.startswith(begin)), "")
    return coloured(escaped_line(text), colour, sys.stdout)


def escaped_line(text: str) -> str:
    """Sanitise foreign text on one line: it must not pass for a line of ours."""
    return harmless(text).replace("\n", "\\n")
