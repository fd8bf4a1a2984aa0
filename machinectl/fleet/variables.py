"""Expand environment variables in fleet files.

As in compose (https://docs.docker.com/reference/compose-file/interpolation/): `${NAME}`, `${NAME:-text}` if NAME is
empty or unset, `${NAME-text}` if unset; text may have variables. `$$`, or a `$` before other text, is `$`. Values are
not expanded again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*)?")
# Levels of nesting.
DEEPEST = 20
# The result's length in characters.
LONGEST = 1 << 16
FORMS = "write ${NAME} or ${NAME:-text}; write $$ for a $ before a brace"


class Unexpandable(Exception):
    """Why a text cannot be expanded."""


def expand_variables(text: str, environment: Mapping[str, str], used: dict[str, str] | None = None) -> str:
    """Expand variables and add them to `used`. Raises Unexpandable, without their values."""
    if "$" not in text:
        return text
    return Expansion(text, environment, {} if used is None else used).until("", counts=True, depth=0)


class Expansion:
    """A text, read up to `at`."""

    def __init__(self, text: str, environment: Mapping[str, str], used: dict[str, str]) -> None:
        self.text = text
        self.environment = environment
        self.at = 0
        self.length = 0
        self.used = used

    def until(self, end: str, *, counts: bool, depth: int) -> str:
        """Read up to `end`. Unless it `counts`, the text is discarded, and variables may be unset."""
        found: list[str] = []
        while self.at < len(self.text):
            if end and self.text.startswith(end, self.at):
                return "".join(found)
            if self.text.startswith("$$", self.at):
                found.append("$")
                self.at += 2
            elif self.text.startswith("${", self.at):
                self.at += 2
                found.append(self.variable(counts=counts, depth=depth + 1))
            else:
                found.append(self.text[self.at])
                self.at += 1
            self.length += len(found[-1])
            if self.length > LONGEST:
                raise Unexpandable(f"with its variables, this has more than {LONGEST} characters")
        if end:
            raise Unexpandable("a ${ has no closing }")
        return "".join(found)

    def variable(self, *, counts: bool, depth: int) -> str:
        if depth > DEEPEST:
            raise Unexpandable(f"${{…}} are more than {DEEPEST} levels deep")
        name = NAME.match(self.text, self.at)[0]  # type: ignore[index] # an empty name matches, too
        self.at += len(name)
        value = self.environment.get(name)
        operator = next((each for each in (":-", "-") if self.text.startswith(each, self.at)), "")
        self.at += len(operator)
        if operator:
            is_there = bool(value) if operator == ":-" else value is not None
            other = self.until("}", counts=counts and not is_there, depth=depth)
            value = value if is_there else other
        if not name or not self.text.startswith("}", self.at):
            has_end = "}" in self.text[self.at :]
            raise Unexpandable(f"a ${{…}} is not valid: {FORMS}" if has_end else "a ${ has no closing }")
        self.at += 1
        if value is None:
            if counts:
                raise Unexpandable(f"${{{name}}} is not set: export {name}, or write ${{{name}:-text}}")
            return ""
        if counts and name in self.environment:
            self.used[name] = self.environment[name]
        return value
