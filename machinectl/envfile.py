"""Variables as files hold them: JSON, the dotenv file of docker compose, the properties of Java and its IDEs.

Whoever reads such a file must get each value exactly. Variables that are to be unset are None: JSON says null, and the
other two, which can only set, leave them out.
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
    """The text of a file, which is to be UTF-8. `form` is a key of FORMS.

    Raises MachineError for a value that is no text, as the path of a directory may be.
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
    """What `docker compose --env-file` reads (github.com/compose-spec/compose-go, dotenv/parser.go)."""
    return lines(variables, in_dotenv)


def as_properties(variables: Variables) -> str:
    """What java.util.Properties.load reads, also as ISO 8859-1: ASCII."""
    return lines(variables, in_properties)


def lines(variables: Variables, spelt: Callable[[str], str]) -> str:
    return "".join(f"{name}={spelt(value)}\n" for name, value in variables.items() if value is not None)


# As compose's versions disagree on what a backslash does before a quote, there are none of these in double quotes.
IN_DOUBLE_QUOTES = str.maketrans({"\\": "\\0134", '"': "\\0042", "$": "\\$", "\n": "\\n", "\r": "\\r"})


def in_dotenv(value: str) -> str:
    """Bare where every reader agrees, in single quotes where nothing in it means anything, else in double quotes."""
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
    """A character as the escapes of its UTF-16 units."""
    data = letter.encode("utf-16-be")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


FORMS: Mapping[str, Callable[[Variables], str]] = {
    "json": as_json,
    "dotenv": as_dotenv,
    "properties": as_properties,
}
