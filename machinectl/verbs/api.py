"""The verb `api`."""

from __future__ import annotations

import codecs
import sys

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_bytes, write_out
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.engine import Response
    from machinectl.machines.store import Store


VERBS = {
    "api": Verb(
        "api",
        examples=("machinectl api orionbox /info", "machinectl api orionbox POST '/images/prune'"),
        arguments=(shared.NAME, Argument("request", "[METHOD] PATH", TEXT, many=True, required=True)),
        flags=(
            Flag(
                "-d",
                "--data",
                metavar="JSON|@FILE",
                help="The request's body: JSON, @FILE, or @- for stdin.",
                parameter="body",
            ),
            shared.TIMEOUT.with_changes(default=30),
        ),
        output=PRINTS,
    ),
}


# RFC 9110 9.3; PATCH is RFC 5789's.
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def api(here: Session, *, name: str, request: list[str], body: str, timeout: float) -> int:
    """Stream the answer to stdout; return 1 for an HTTP status of 300 or more."""
    *method, path = request
    if not method and path in METHODS:
        raise UsageError(f"{path} is a method: the path is missing", Hint("", "machinectl api", name, path, "<PATH>"))
    if len(method) > 1:
        extra = " ".join(request[2:])
        raise UsageError(
            f"Invalid command line. Found extra arguments [{extra}]",
            Hint("", "machinectl api --help"),
            for_scripts=True,
        )
    piece = b""
    with send_request(here.store, name, (method or ["GET"])[0], path, read_body(body), timeout) as answer:
        # A chunk may end inside a character.
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        for piece in answer:
            if sys.stdout.isatty():
                write_out(decoder.decode(piece))
            else:
                write_bytes(piece)
    if sys.stdout.isatty() and not piece.endswith(b"\n"):
        write_out("\n")
    if answer.status < 300:  # noqa: PLR2004 (RFC 9110 15: redirections and errors)
        return 0
    where = f", at {location}" if (location := answer.header("Location")) else ""
    report(MachineError(f"The engine answered {answer.status} {answer.reason}{where}"))
    return 1


def send_request(
    store: Store, name: str, method: str, path: str, body: bytes | None = None, timeout: float | None = 30.0
) -> Response:
    """Return a response, which the caller must close. `timeout` covers its start, not its body."""
    from machinectl import engine
    from machinectl.hosts.query_engines import ready_endpoint

    # The engine requires a Content-Type for JSON; tar archives need none.
    kind = "application/json" if (body or b"").lstrip()[:1] in {b"{", b"["} else "application/octet-stream"
    headers = {"Content-Type": kind} if body else None
    path = path if path.startswith("/") else f"/{path}"
    return engine.request(ready_endpoint(store, name), method, path, body, headers, timeout=timeout, streams=True)


def read_body(given: str) -> bytes | None:
    """Return text, @FILE or @- (stdin), as curl's --data."""
    if not given.startswith("@"):
        return given.encode() or None
    if given == "@-":
        return sys.stdin.buffer.read()
    try:
        with open(given[1:], "rb") as file:
            return file.read()
    except OSError as exc:
        raise UsageError(
            f"Cannot read {given[1:]}: {exc.strerror}", Hint("Give JSON, @<FILE>, or @- for stdin")
        ) from exc
