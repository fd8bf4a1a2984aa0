"""Console output and questions while a command runs."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext

from machinectl.errors import NO_HINT, Declined, Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol, TypeVar

    Answer = TypeVar("Answer")
else:
    Protocol = object


ANSWER = Hint("Answer the question, or give the option that answers it")


class Unanswered(MachineError):
    def __init__(self, hint: Hint = ANSWER) -> None:
        super().__init__("No answer was given", hint)


def confirm(console: Console, question: str, unasked: str = "") -> bool:
    """Ask yes or no; `unasked` is the command that does not ask.

    At a terminal, no is the default, and ^D is no. From a pipe, as in docker-machine, an answer that begins with y is
    yes, any other is no, and none raises Unanswered.
    """
    if console.interactive:
        return ask_until(console, f"{question} [y/N] ", f"Type y or n. {question} [y/N] ", yes_or_no, no=False)
    try:
        return console.ask(f"{question} (y/n): ").strip().lower().startswith("y")
    except Unanswered as exc:
        if unasked:
            raise Unanswered(Hint("To do it without being asked", unasked)) from exc
        raise


def ask_until(
    console: Console, prompt: str, again: str, meaning: Callable[[str], Answer | None], *, no: Answer
) -> Answer:
    """Ask at a terminal, with `again` from the second time on, until the answer has a meaning; ^D means `no`."""
    found = None
    while found is None:
        try:
            found = meaning(console.ask(prompt).strip())
        except Unanswered:
            return no
        prompt = again
    return found


def yes_or_no(answer: str) -> bool | None:
    """Return None for any other answer."""
    return {"y": True, "yes": True, "n": False, "no": False, "": False}.get(answer.lower())


def decline(console: Console, outcome: str) -> None:
    """Report what a no means. At a terminal it raises Declined; docker-machine's scripts expect exit status 0."""
    if console.interactive:
        raise Declined(outcome)
    console.note(outcome)


class StateNote(str):
    """A note that says what a machine is: a board shows it in the machine's row."""

    __slots__ = ()


class Console(Protocol):
    """A terminal or a job's log. Never prints to stdout."""

    # Print a line of information, and below it what to do.
    def note(self, text: str, hint: Hint = NO_HINT) -> None: ...

    # Print a warning and continue.
    def warn(self, text: str, hint: Hint = NO_HINT) -> None: ...

    # Show a long step, and at the end its duration or failure.
    def step(self, title: str) -> AbstractContextManager[None]: ...

    # Show what the running step prints, by its last line. None if nobody can see it.
    @property
    def progress(self) -> Callable[[str], None] | None: ...

    # Whether a person can answer. If not, a pipe may.
    @property
    def interactive(self) -> bool: ...

    # Print a prompt, and return the line that is typed. Secrets are not echoed. Raises Unanswered at the end of input.
    def ask(self, prompt: str, *, secret: bool = False) -> str: ...

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
    progress = None

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        pass

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        pass

    def step(self, title: str) -> AbstractContextManager[None]:  # noqa: ARG002 - required by Console
        return nullcontext()

    def ask(self, prompt: str, *, secret: bool = False) -> str:  # noqa: ARG002 - required by Console
        raise RuntimeError(prompt)

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

    @property
    def progress(self) -> Callable[[str], None] | None:
        return self._console.progress

    def note(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.note(type(text)(self._rewrite(text)), hint.rewritten(self._rewrite))

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self._console.warn(self._rewrite(text), hint.rewritten(self._rewrite))

    def step(self, title: str) -> AbstractContextManager[None]:
        return self._console.step(self._rewrite(title))

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        return self._console.ask(self._rewrite(prompt), secret=secret)

    def pause(self, seconds: float) -> None:
        self._console.pause(seconds)

    @contextmanager
    def board(self, names: Sequence[str]) -> Iterator[Board]:
        with self._console.board(names) as board:
            yield RewritingBoard(board, self._rewrite)


class UnattendedConsole(RewritingConsole):
    """For work that nobody watches: whoever asks fails."""

    interactive = False

    def __init__(self, console: Console, hint: Hint) -> None:
        super().__init__(console, lambda text: text)
        self._hint = hint

    def ask(self, prompt: str, *, secret: bool = False) -> str:  # noqa: ARG002 - required by Console
        raise Unanswered(self._hint)


class RewritingBoard:
    def __init__(self, board: Board, rewrite: Callable[[str], str]) -> None:
        self._board = board
        self._rewrite = rewrite
        self.aside = board.aside

    def done(self, name: str, error: BaseException | None) -> None:
        if isinstance(error, MachineError):
            error.cause, error.hint = self._rewrite(error.cause), error.hint.rewritten(self._rewrite)
        self._board.done(name, error)

    def console(self, name: str) -> Console:
        return RewritingConsole(self._board.console(name), self._rewrite)
