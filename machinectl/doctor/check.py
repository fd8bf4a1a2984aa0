"""A check: verdict, observation, and the repair command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.errors import MachineError


class Verdict(StrEnum):
    """UNKNOWN: not checked, or worth a look although nothing is broken."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """`seen` is one line; `hint` is a command or ""."""

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
    return broken(title, error.cause, error.hint)


def unseen(titles: Iterable[str], why: str) -> list[Check]:
    return [unknown(title, f"not looked at: {why}") for title in titles]
