"""Expand environment variables in fleet files.

As in compose (https://docs.docker.com/reference/compose-file/interpolation/): `${NAME}`, `${NAME:-text}` if NAME is
empty or unset, `${NAME-text}` if unset. `$$`, or a `$` before other text, is `$`. Values are not expanded again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = re.compile(r"\$(?:\$|\{(?:([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^${}]*))?\})?)", re.ASCII)
# The result's length in characters.
LONGEST = 1 << 16


class Unexpandable(Exception):
    """Why a text cannot be expanded."""


def expand_variables(text: str, environment: Mapping[str, str], used: dict[str, str]) -> str:
    """Expand variables and add them to `used`. Raises Unexpandable, without their values."""

    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if match[0] == "$$":
            return "$"
        if name is None:
            raise Unexpandable("a ${…} is not valid: write ${NAME} or ${NAME:-text}; write $$ for a $ before a brace")
        if operator and (name not in environment or (operator == ":-" and not environment[name])):
            return str(default)
        if name not in environment:
            raise Unexpandable(f"${{{name}}} is not set: export {name}, or write ${{{name}:-text}}")
        used[name] = environment[name]
        return environment[name]

    expanded = VARIABLE.sub(value, text)
    if len(expanded) > LONGEST:
        raise Unexpandable(f"with its variables, this has more than {LONGEST} characters")
    return expanded
