"""A check: what was looked at, what was seen, and what to type about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.errors import MachineError


class Verdict(StrEnum):
    """What a check came to: UNKNOWN is what was not seen, and what is worth a look although nothing is broken."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """`seen` is what was seen, in a line; `hint` what to type, "" where there is nothing to do."""

    title: str
    verdict: Verdict
    seen: str
    hint: str = ""


def ok(title: str, seen: str) -> Check:
    return Check(title, Verdict.OK, seen)


def broken(title: str, seen: str, hint: str) -> Check:
    return Check(title, Verdict.BROKEN, seen, hint)


def unknown(title: str, seen: str, hint: str = "") -> Check:
    return Check(title, Verdict.UNKNOWN, seen, hint)


def failed(title: str, error: MachineError) -> Check:
    """What an error says of what was looked at."""
    return broken(title, error.cause, error.hint)


def unseen(titles: Iterable[str], why: str) -> list[Check]:
    """What was not looked at, as something before it failed."""
    return [unknown(title, f"not looked at: {why}") for title in titles]
