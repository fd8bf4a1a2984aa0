"""Parse JSON without the modules that `json` imports: they take longer than all else that `env` does. Light path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WHITESPACE = " \t\n\r"


class ScannerSettings:
    """The attributes of a JSONDecoder that CPython's scanner reads."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def parse_json(text: bytes | str) -> Any:
    """Return the value, as json.loads does. Raises ValueError, or RecursionError."""
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
