"""What a command may say to the person while it works; the command line supplies the implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Console(Protocol):
    """The person at the terminal, or the log of a job. Nothing of it reaches stdout."""

    # One plain line of information.
    def note(self, text: str) -> None: ...

    # One line that asks for attention; the command goes on.
    def warn(self, text: str) -> None: ...

    # A titled piece of long work: its line carries the time it took, or that it failed.
    def step(self, title: str) -> AbstractContextManager[None]: ...

    # Whether somebody is there to answer. Where not, `ask` and `confirm` must not be called.
    @property
    def interactive(self) -> bool: ...

    # A line of text; with secret=True it is not echoed.
    def ask(self, question: str, *, secret: bool = False) -> str: ...

    # Yes or no; anything but yes is no.
    def confirm(self, question: str) -> bool: ...
