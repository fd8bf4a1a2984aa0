"""Output and questions of a command while it works; the command line supplies the implementation."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager


class Unanswered(MachineError):
    """Nobody answered a question."""

    def __init__(self, hint: str = "Answer the question, or give the option that answers it") -> None:
        super().__init__("No answer was given", hint)


def confirm_or_hint(console: Console, question: str, unasked: str) -> bool:
    """Ask yes or no. Raises Unanswered if nobody answers; `unasked` is the command that does not ask."""
    try:
        return console.confirm(question)
    except Unanswered as exc:
        raise Unanswered(f"To do it without being asked: {unasked}") from exc


class Console(Protocol):
    """The person at the terminal, or the log of a job. Nothing goes to stdout."""

    # Print a line of information.
    def note(self, text: str) -> None: ...

    # Print a warning; the command continues.
    def warn(self, text: str) -> None: ...

    # Show a step of long work, with its duration or failure in the end.
    def step(self, title: str) -> AbstractContextManager[None]: ...

    # Whether a person can answer; if not, `ask` and `confirm` must not be called.
    @property
    def interactive(self) -> bool: ...

    # Ask for a line of text; a secret is not echoed.
    def ask(self, question: str, *, secret: bool = False) -> str: ...

    # Ask yes or no; any other answer is no. Raises Unanswered if nobody answers.
    def confirm(self, question: str) -> bool: ...

    # Wait for some seconds. ^C ends it at once.
    def pause(self, seconds: float) -> None: ...

    # Keep the output of several machines apart while the board is entered.
    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]: ...


class Board(Protocol):
    """Several machines that are worked on at once, each in a thread. Output after its end is dropped."""

    # Return the console of a machine whose work begins now.
    def console(self, name: str) -> Console: ...

    # Note how that work ended; KeyboardInterrupt means unfinished. The caller reports the error itself.
    def done(self, name: str, error: BaseException | None) -> None: ...

    # Give the caller the screen, to print or to ask; the machines' output is shown afterwards.
    def aside(self) -> AbstractContextManager[None]: ...


class SharedBoard:
    """A board on which all machines share one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def console(self, name: str) -> Console:  # noqa: ARG002 (the contract's)
        return self._console

    def done(self, name: str, error: BaseException | None) -> None:
        pass

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()


class SilentConsole:
    """A console for work in the background: it says nothing and must not be asked."""

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
    """A console that rewrites every text before it passes it on."""

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
    """A board whose consoles rewrite every text."""

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
