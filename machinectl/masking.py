"""Hide secrets behind ***."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECRET_NAME = re.compile(
    r"pass(wor|phrase|wd)|(^|[-_])pass($|[-_])|[-_]pwd$|secret|token|credential|(api|access|private)[-_]?key",
    re.IGNORECASE,
)
# A path to a secret is not secret.
NO_SECRET_NAME = re.compile(r"(path|file|dir)$", re.IGNORECASE)
# As in Go, user and password may hold an @: they end at the last one before the path.
PASSWORD_IN_URL = re.compile(r"""(?<=://)([^/:\s"]*):[^/\s"]*@""")
# A proxy without a scheme is an HTTP proxy.
PASSWORD_IN_ADDRESS = re.compile(r"^([^/:\s]*):[^/\s]*@")
# A variable in the middle of a line, as in a systemd unit.
ASSIGNED = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)=(?=.)")
PROXY_NAME = re.compile(r"(?:^|[-_])proxy$", re.IGNORECASE)
HIDDEN = "***"


def without_secrets(value: Any) -> Any:
    """Hide values with secret names, and passwords in URLs."""
    if isinstance(value, dict):
        return {key: without_secret_of(str(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(one) for one in value]
    if isinstance(value, str):
        return without_secret(value)
    return value


def without_secret_of(name: str, value: Any) -> Any:
    if is_secret(name) and value:
        return HIDDEN
    if isinstance(value, str) and PROXY_NAME.search(name):
        value = PASSWORD_IN_ADDRESS.sub(rf"\1:{HIDDEN}@", value)
    return without_secrets(value)


def without_secret(text: str) -> str:
    """Accept a URL, NAME=VALUE, log-opt=NAME=VALUE, or JSON."""
    if text.lstrip().startswith("{"):
        return without_secrets_in_json(text)
    parts = text.split("=")
    for count, name in enumerate(parts[:-1], start=1):
        if is_secret(name):
            return without_passwords("=".join([*parts[:count], HIDDEN]))
    name, equals, value = text.partition("=")
    if equals and PROXY_NAME.search(name):
        text = name + equals + PASSWORD_IN_ADDRESS.sub(rf"\1:{HIDDEN}@", value)
    return without_passwords(text)


def without_passwords(text: str) -> str:
    return PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", text)


def without_secrets_in_lines(text: str) -> str:
    return "\n".join(map(without_secrets_in_line, text.split("\n")))


def without_secrets_in_line(line: str) -> str:
    # A value may hold blanks: hide the rest of the line.
    end = next((found.end() for found in ASSIGNED.finditer(line) if is_secret(found[1])), None)
    return without_passwords(line) if end is None else without_passwords(line[:end]) + HIDDEN


def without_secrets_in_json(text: str) -> str:
    """Keep the text unchanged if it has no secrets."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return without_passwords(text)
    shown = without_secrets(data)
    return text if shown == data else json.dumps(shown, indent=4)


def is_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not NO_SECRET_NAME.search(name)
