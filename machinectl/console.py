"""What a command may say to the person while it works; the command line supplies the implementation."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager


class Unanswered(MachineError):
    """A question was put, and nobody was there to answer it."""

    def __init__(self, hint: str = "Answer the question, or give the option that answers it") -> None:
        super().__init__("No answer was given", hint)


def confirm_or_hint(console: Console, question: str, unasked: str) -> bool:
    """Whether the person says yes. Raises NoAnswer where nobody answers; `unasked` is the command that does not ask."""
    try:
        return console.confirm(question)
    except Unanswered as exc:
        raise Unanswered(f"To do it without being asked: {unasked}") from exc


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

    # Yes or no; anything but yes is no. Raises NoAnswer where nobody answers: silence is neither.
    def confirm(self, question: str) -> bool: ...

    # Wait for some seconds. KeyboardInterrupt ends it at once where the person wants no more of this work.
    def pause(self, seconds: float) -> None: ...

    # For work on several machines at once: what is said of each is kept apart while the board is entered.
    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]: ...


class Board(Protocol):
    """Several machines that are worked on at once, each in a thread. What is said after its end goes nowhere."""

    # The console of one of them, whose work begins now.
    def console(self, name: str) -> Console: ...

    # How that work ended; KeyboardInterrupt is work that was not finished. Whoever called reports the error itself.
    def done(self, name: str, error: BaseException | None) -> None: ...

    # The screen is the caller's, to print or to ask something; what machines say meanwhile is shown afterwards.
    def aside(self) -> AbstractContextManager[None]: ...


class SharedBoard:
    """A board that keeps nothing apart: all machines share one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def console(self, name: str) -> Console:  # noqa: ARG002 (the contract's)
        return self._console

    def done(self, name: str, error: BaseException | None) -> None:
        pass

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()


class SilentConsole:
    """The Console of work in the background."""

    interactive = False

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def step(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 (the contract's)
        return nullcontext()

    def ask(self, question: str, *, secret: bool = False) -> str:  # noqa: ARG002 (the contract's)
        raise RuntimeError(question)

    def confirm(self, question: str) -> bool:
        raise RuntimeError(question)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 (the contract's)
        return nullcontext(SharedBoard(self))


class RewritingConsole:
    """A Console that rewrites every text before it passes it on."""

    def __init__(self, console: Console, rewrite: Callable[[str], str]) -> None:
        self._console = console
        self._rewrite = rewrite

    @property
    def interactive(self) -> bool:
        return self._console.interactive

    def note(self, text: str) -> None:
        self._console.note(self._rewrite(text))

    def warn(self, text: str) -> None:
        self._console.warn(self._rewrite(text))

    def step(self, title: str) -> AbstractContextManager[None]:
        return self._console.step(self._rewrite(title))

    def ask(self, question: str, *, secret: bool = False) -> str:
        return self._console.ask(self._rewrite(question), secret=secret)

    def confirm(self, question: str) -> bool:
        return self._console.confirm(self._rewrite(question))

    def pause(self, seconds: float) -> None:
        self._console.pause(seconds)

    @contextmanager
    def board(self, names: Sequence[str]) -> Iterator[Board]:
        with self._console.board(names) as board:
            yield RewritingBoard(board, self._rewrite)


class RewritingBoard:
    """A Board whose consoles rewrite every text."""

    def __init__(self, board: Board, rewrite: Callable[[str], str]) -> None:
        self._board = board
        self._rewrite = rewrite
        self.aside = board.aside

    def done(self, name: str, error: BaseException | None) -> None:
        if isinstance(error, MachineError):
            error.cause, error.hint = self._rewrite(error.cause), self._rewrite(error.hint)
        self._board.done(name, error)

    def console(self, name: str) -> Console:
        return RewritingConsole(self._board.console(name), self._rewrite)
