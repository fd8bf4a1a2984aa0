"""Label selectors as kubectl has them: `role=web,rack in (a,b),!spare`; all that is asked must hold.

The grammar and its meaning: kubernetes.io/docs/concepts/overview/working-with-objects/labels, and labels/selector.go of
k8s.io/apimachinery. Keys and values are not held to Kubernetes' own rules for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
SPECIAL = set("=!(),<>") | {"==", "!=", ""}
SYNTAX = "Write: role=web, role!=web, 'role in (web,db)', 'role notin (web,db)', role, '!role'; commas join several"


@dataclass(frozen=True)
class Requirement:
    """What a label must be: of the `values` where it is there; None are any.

    Where it is not `wanted`, it must not be so: a machine without the label passes, too.
    """

    key: str
    values: frozenset[str] | None = None
    wanted: bool = True

    def holds(self, labels: Mapping[str, str]) -> bool:
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found is self.wanted


@dataclass(frozen=True)
class Selector:
    """What machines' labels must be like, all of it."""

    requirements: tuple[Requirement, ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(each.holds(labels) for each in self.requirements)


class SelectorToken(NamedTuple):
    """A word or a sign, "" at the end, and where it begins; that counts from 1."""

    text: str
    column: int

    @property
    def is_word(self) -> bool:
        return self.text not in SPECIAL


def parse_selector(text: str) -> Selector:
    """Read a selector. Raises UsageError, which says where it is wrong; so is an empty one, which would select all."""
    return Selector(tuple(SelectorParser(text).requirements()))


class SelectorParser:
    """A selector that is read from its beginning to its end."""

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
        """A value; it may be empty."""
        return self._take().text if self._peek().is_word else ""

    def _set(self) -> frozenset[str]:
        """Values in parentheses; each may be empty, as in `(a,)`."""
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
