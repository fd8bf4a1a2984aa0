"""Hand a request or an answer to the user, who sends it on and reads out its fingerprint."""

from __future__ import annotations

from typing import Protocol

from machinectl.cli.output.stdout import print_result, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from machinectl.cli.options.verb_session import Session


# Why both sides compare fingerprints on the phone.
COMPARE = "a chat is not authenticated"


class Fingerprinted(Protocol):
    """A request or an answer."""

    @property
    def fingerprint(self) -> str: ...

    def text(self) -> str: ...


def utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def file_of(output: str) -> str:
    """Return the file of an option that takes - for stdout, "" for stdout."""
    return "" if output == "-" else output


def hand_over(
    here: Session, what: str, sent: Fingerprinted, to: str, output: str, again: str, write: Callable[[str], None]
) -> None:
    """Print a request or an answer or write it to a file, and say who gets it.

    `what` is "request" or "answer"; `again` is the command that makes it again.
    """
    if path := file_of(output):
        write(path)
        here.console.note(f"The {what} is in {path}")
    else:
        print_result(lambda: write_file(sent.text()), again)
    here.console.note(
        f"Send it to {to}: it holds no secret. "
        f"Its fingerprint is {sent.fingerprint}. Read it out on the phone: {COMPARE}."
    )
