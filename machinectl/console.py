"""Console output and questions while a command runs."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager


class Unanswered(MachineError):
    def __init__(self, hint: str = "Answer the question, or give the option that answers it") -> None:
        super().__init__("No answer was given", hint)


def confirm_or_hint(console: Console, question: str, unasked: str) -> bool:
    """Ask yes or no. Raises Unanswered with `unasked`, the command to type."""
    try:
        return console.confirm(question)
    except Unanswered as exc:
        raise Unanswered(f"To do it without being asked: {unasked}") from exc


class Console(Protocol):
    """A terminal or a job's log. Never prints to stdout."""

    # Print a line of information.
    def note(self, text: str) -> None: ...

    # Print a warning and continue.
    def warn(self, text: str) -> None: ...

    # Show a long step, and at the end its duration or failure.
    def step(self, title: str) -> AbstractContextManager[None]: ...

    # Whether a person can answer. If not, do not call `ask` and `confirm`.
    @property
    def interactive(self) -> bool: ...

    # Ask for a line of text. Secrets are not echoed.
    def ask(self, question: str, *, secret: bool = False) -> str: ...

    # Ask yes or no. Any other answer is no. Raises Unanswered if nobody answers.
    def confirm(self, question: str) -> bool: ...

    # Wait some seconds. ^C ends the wait.
    def pause(self, seconds: float) -> None: ...

    # Separate the output of several machines inside the context.
    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]: ...


class Board(Protocol):
    """Machines in parallel, one thread each. Drops output after its end."""

    # Return a machine's console when its work begins.
    def console(self, name: str) -> Console: ...

    # Note how a machine's work ended; KeyboardInterrupt means unfinished. The caller reports the error.
    def done(self, name: str, error: BaseException | None) -> None: ...

    # Pause the machines' output so that the caller can print or ask.
    def aside(self) -> AbstractContextManager[None]: ...


class SharedBoard:
    def __init__(self, console: Console) -> None:
        self._console = console

    def console(self, name: str) -> Console:  # noqa: ARG002 - required by Board
        return self._console

    def done(self, name: str, error: BaseException | None) -> None:
        pass

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()


class SilentConsole:
    """For background work: prints nothing, must not be asked."""

    interactive = False

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def step(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 - required by Console
        return nullcontext()

    def ask(self, question: str, *, secret: bool = False) -> str:  # noqa: ARG002 - required by Console
        raise RuntimeError(question)

    def confirm(self, question: str) -> bool:
        raise RuntimeError(question)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def board(self, names: Sequence[str]) -> AbstractContextManager[Board]:  # noqa: ARG002 - required by Console
        return nullcontext(SharedBoard(self))


class RewritingConsole:
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
