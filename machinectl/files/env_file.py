"""Write environment variables as JSON, docker compose dotenv, or Java properties.

JSON has null for variables to unset (None); the others omit them.
"""

from __future__ import annotations

import json

from machinectl.errors import Hint, MachineError
from machinectl.shell import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Variables = Mapping[str, str | None]


def format_variables(form: str, variables: Variables) -> str:
    """Return UTF-8 text. Raises MachineError for values that are not UTF-8."""
    for name, value in variables.items():
        if not is_text(value or ""):
            raise MachineError(
                f"{form} cannot hold {name}: it is not UTF-8", Hint("Print it for a shell: --shell bash")
            )
    return FORMS[form](variables)


def is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def assignments(variables: Variables, spelt: Callable[[str], str]) -> str:
    return "".join(f"{name}={spelt(value)}\n" for name, value in variables.items() if value is not None)


# Versions of compose disagree on a backslash before a quote: avoid both in double quotes.
IN_DOUBLE_QUOTES = str.maketrans({"\\": "\\0134", '"': "\\0042", "$": "\\$", "\n": "\\n", "\r": "\\r"})


def in_dotenv(value: str) -> str:
    """Use no quotes if every reader agrees, else single, else double.

    For docker compose (github.com/compose-spec/compose-go, dotenv/parser.go).
    """
    if not value or is_plain(value):
        return value
    if not set("'\n\r").intersection(value) and not value.endswith("\\"):
        return f"'{value}'"
    return f'"{value.translate(IN_DOUBLE_QUOTES)}"'


IN_PROPERTIES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"})


def in_properties(value: str) -> str:
    """Write ASCII: java.util.Properties.load may read ISO 8859-1."""
    # Java takes leading blanks for part of the separator.
    kept = value.translate(IN_PROPERTIES)
    kept = f"\\{kept}" if kept.startswith(" ") else kept
    return "".join(letter if letter.isascii() else units(letter) for letter in kept)


def units(letter: str) -> str:
    data = letter.encode("utf-16-be")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


FORMS: Mapping[str, Callable[[Variables], str]] = {
    "json": lambda variables: json.dumps(dict(variables), indent=4) + "\n",
    "dotenv": lambda variables: assignments(variables, in_dotenv),
    "properties": lambda variables: assignments(variables, in_properties),
}
