"""Read JSON: what is not of the expected type is empty. Name fields as docker does. Light path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Go's int64.
LARGEST = 2**63 - 1


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_integer(value: Any) -> int:
    return value if type(value) is int and abs(value) <= LARGEST else 0


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# Ours of go.dev/wiki/CodeReviewComments#initialisms.
INITIALISMS = {"api": "API", "mac": "MAC", "os": "OS", "sans": "SANs", "tls": "TLS", "url": "URL"}


def go_name(name: str) -> str:
    """Return a name as exported in Go: APIVersion."""
    return "".join(INITIALISMS.get(word) or word[:1].upper() + word[1:] for word in name.split("_"))


def go_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {go_name(name): value for name, value in fields.items()}


WHITESPACE = " \t\n\r"


class ScannerSettings:
    """The attributes of a JSONDecoder that CPython's scanner reads."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def parse_json(text: bytes | str) -> Any:
    """Return the value, as json.loads does. Raises ValueError, or RecursionError.

    The modules that `json` imports take longer than all else that `env` does.
    """
    try:
        from _json import make_scanner

        decoded = (text.decode("utf-8") if isinstance(text, bytes) else text).strip(WHITESPACE)
        value, end = make_scanner(ScannerSettings)(decoded, 0)  # type: ignore[arg-type]  # typeshed has only its result
        if end == len(decoded):
            return value
    except (ImportError, ValueError, StopIteration, SystemError):
        # Another interpreter, another encoding, or no JSON (SystemError in CPython 3.11): json raises the error.
        pass
    import json

    return json.loads(text)
