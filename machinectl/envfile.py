"""Variables in a file: JSON, the dotenv file of docker compose, the properties of Java and its IDEs.

A reader gets each value exactly. A variable to unset is None: null in JSON, and left out in the other formats, which
can only set.
"""

from __future__ import annotations

import json

from machinectl.errors import MachineError
from machinectl.shell import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Variables = Mapping[str, str | None]


def format_variables(form: str, variables: Variables) -> str:
    """Return the text of a file in UTF-8. `form` is a key of FORMS.

    Raises MachineError for a value that is not text, for example a path.
    """
    for name, value in variables.items():
        if not is_text(value or ""):
            raise MachineError(f"{form} cannot hold {name}: it is not UTF-8", "Print it for a shell: --shell bash")
    return FORMS[form](variables)


def is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def as_json(variables: Variables) -> str:
    return json.dumps(dict(variables), indent=4) + "\n"


def as_dotenv(variables: Variables) -> str:
    """Write what `docker compose --env-file` reads (github.com/compose-spec/compose-go, dotenv/parser.go)."""
    return lines(variables, in_dotenv)


def as_properties(variables: Variables) -> str:
    """Write what java.util.Properties.load reads. It may read ISO 8859-1, so the text is ASCII."""
    return lines(variables, in_properties)


def lines(variables: Variables, spelt: Callable[[str], str]) -> str:
    return "".join(f"{name}={spelt(value)}\n" for name, value in variables.items() if value is not None)


# compose's versions disagree on a backslash before a quote: avoid both in double quotes.
IN_DOUBLE_QUOTES = str.maketrans({"\\": "\\0134", '"': "\\0042", "$": "\\$", "\n": "\\n", "\r": "\\r"})


def in_dotenv(value: str) -> str:
    """Use no quotes if every reader agrees, single quotes if they are enough, else double quotes."""
    if not value or is_plain(value):
        return value
    if not set("'\n\r").intersection(value) and not value.endswith("\\"):
        return f"'{value}'"
    return f'"{value.translate(IN_DOUBLE_QUOTES)}"'


IN_PROPERTIES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"})


def in_properties(value: str) -> str:
    # Blanks before a value belong to the separator.
    kept = value.translate(IN_PROPERTIES)
    kept = f"\\{kept}" if kept.startswith(" ") else kept
    return "".join(letter if letter.isascii() else units(letter) for letter in kept)


def units(letter: str) -> str:
    """Return the escapes of a character's UTF-16 units."""
    data = letter.encode("utf-16-be")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


FORMS: Mapping[str, Callable[[Variables], str]] = {
    "json": as_json,
    "dotenv": as_dotenv,
    "properties": as_properties,
}
