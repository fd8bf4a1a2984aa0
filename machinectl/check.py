"""A check of `doctor`: its verdict, what was seen, and the command that repairs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import NO_HINT, Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Result = TypeVar("Result")


class Verdict(StrEnum):
    """UNKNOWN: not checked, or worth a look although nothing is broken."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


OK, BROKEN, UNKNOWN = Verdict
# The title of the checks of DOCKER_… in the environment: that of a feature takes the place of doctor's own.
SHELL = "This shell"


@dataclass(frozen=True)
class Check:
    """`seen` is one line; `hint` has the command that repairs it.

    `is_unseen`: not done, as another check failed. `leads_to` is as in MachineError.
    """

    title: str
    verdict: Verdict
    seen: str
    hint: Hint = NO_HINT
    is_unseen: bool = False
    leads_to: str = field(default="", compare=False)


@dataclass(frozen=True)
class Seat:
    """Where `doctor` was typed; `program` is sys.argv[0]."""

    program: str
    environment: Mapping[str, str]


def first_case(title: str, *cases: tuple[object, Verdict, str, Hint]) -> Check:
    """Return the first case that applies: a condition, verdict, observation and hint."""
    return next(Check(title, verdict, seen, hint) for applies, verdict, seen, hint in cases if applies)


def ok(title: str, seen: str) -> Check:
    return Check(title, OK, seen)


def broken(title: str, seen: str, hint: Hint) -> Check:
    return Check(title, BROKEN, seen, hint)


def unknown(title: str, seen: str, hint: Hint = NO_HINT) -> Check:
    return Check(title, UNKNOWN, seen, hint)


def failed(title: str, error: MachineError) -> Check:
    return Check(title, BROKEN, error.cause, error.hint, leads_to=error.leads_to)


def unseen(titles: Iterable[str], why: str) -> list[Check]:
    return [Check(title, UNKNOWN, f"not checked: {why}", is_unseen=True) for title in titles]


def value_or(
    otherwise: Result, read: Callable[[], Result], errors: tuple[type[Exception], ...] = (MachineError,)
) -> Result:
    """Return what `read` does; `otherwise` after an error, which another check reports."""
    try:
        return read()
    except errors:
        return otherwise
