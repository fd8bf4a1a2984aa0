"""Label selectors like kubectl's: `role=web,rack in (a,b),!spare`; all parts must match.

Grammar: kubernetes.io/docs/concepts/overview/working-with-objects/labels, labels/selector.go of k8s.io/apimachinery.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
SPECIAL = set("=!(),<>") | {"==", "!=", ""}
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

    def example_label(self) -> str:
        """Return a label that it selects, quoted for a shell."""
        first = self.requirements[0]
        return shlex.quote(f"{first.key}={min(first.values)}") if first.wanted and first.values else "role=web"


class SelectorToken(NamedTuple):
    """A word or sign, or "" for the end; columns count from 1."""

    text: str
    column: int

    @property
    def is_word(self) -> bool:
        return self.text not in SPECIAL


def parse_selector(text: str) -> Selector:
    """Parse a selector. Raises UsageError with the column, also for an empty one."""
    return Selector(tuple(SelectorParser(text).requirements()))


class SelectorParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def requirements(self) -> list[Requirement]:
        if not self._text.strip():
            raise UsageError("--selector is empty, and would select all machines", SYNTAX)
        found = [self._requirement()]
        while (token := self._take()).text == ",":
            found.append(self._requirement())
        if token.text:
            raise self._refused(token, "a comma")
        return found

    def _requirement(self) -> Requirement:
        if self._peek().text == "!":
            self._take()
            return Requirement(self._key(), wanted=False)
        key = self._key()
        if (sign := self._peek()).text in {"", ","}:
            return Requirement(key)
        self._take()
        match sign.text:
            case "=" | "==":
                return Requirement(key, frozenset({self._value()}))
            case "!=":
                return Requirement(key, frozenset({self._value()}), wanted=False)
            case "in":
                return Requirement(key, self._set())
            case "notin":
                return Requirement(key, self._set(), wanted=False)
        raise self._refused(sign, "=, !=, in or notin")

    def _key(self) -> str:
        token = self._take()
        if not token.is_word:
            raise self._refused(token, "a label's name")
        return token.text

    def _value(self) -> str:
        return self._take().text if self._peek().is_word else ""

    def _set(self) -> frozenset[str]:
        """Values may be empty, as in `(a,)`."""
        if (token := self._take()).text != "(":
            raise self._refused(token, "(")
        found = {self._value()}
        while (token := self._take()).text == ",":
            found.add(self._value())
        if token.text != ")":
            raise self._refused(token, "a comma or )")
        return frozenset(found)

    def _peek(self) -> SelectorToken:
        found = TOKENS.match(self._text, self._at)
        if not found:
            return SelectorToken("", len(self._text) + 1)
        return SelectorToken(found[1], found.start(1) + 1)

    def _take(self) -> SelectorToken:
        token = self._peek()
        self._at = token.column - 1 + len(token.text)
        return token

    def _refused(self, token: SelectorToken, expected: str) -> UsageError:
        found = repr(token.text) if token.text else "its end"
        return UsageError(
            f"--selector {self._text!r}: {expected} should stand at character {token.column}, not {found}", SYNTAX
        )
