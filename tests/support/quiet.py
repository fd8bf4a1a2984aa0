"""The one Console for tests that call functions: it keeps what it is told, and answers as it was told to."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from machinectl.console import Unanswered
from machinectl.errors import NO_HINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from machinectl.console import Board, Console


# How prompts end, which `asked` leaves out.
PROMPT_END = re.compile(r"(?: \[y/N\] | \(yes/no/\[fingerprint\]\) | \(y/n\): |: )$")


class Quiet:
    """See machinectl.console.Console and Board: it is its own board, where each line says which machine it is about.

    `answers` are given in their order; without any nobody is there, and who asks all the same fails. With
    `interactive=False` they come from a pipe. `said` is every line, of whichever kind.
    """

    def __init__(self, *answers: str | bool, interactive: bool | None = None) -> None:
        self.answers = list(answers)
        self.interactive = bool(answers) if interactive is None else interactive
        self.said: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.steps: list[str] = []
        self.asked: list[str] = []
        # The machines that were on the board: in the order in which they began, and how they ended.
        self.begun: list[str] = []
        self.ended: dict[str, BaseException | None] = {}
        self._triggers: dict[str, Callable[[], object]] = {}
        self.progress: Callable[[str], None] | None = None
        # No board is on a terminal.
        self.has_drawn = False

    def when(self, text: str, happens: Callable[[], object]) -> None:
        """Do something as soon as a text is said."""
        self._triggers[text] = happens

    def note(self, text: str, hint: str = NO_HINT) -> None:
        self._keep(self.notes, "\n".join(filter(None, (text, hint))))

    def warn(self, text: str, hint: str = NO_HINT) -> None:
        self._keep(self.warnings, "\n".join(filter(None, (text, hint))))

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._keep(self.steps, title)
        yield

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        assert self.answers, prompt
        self._keep(self.asked, PROMPT_END.sub("", prompt))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, str) else "yes" if answer else "no"

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    @contextmanager
    def board(self, names: Sequence[str]) -> Iterator[Board]:
        yield self

    def console(self, name: str) -> Console:
        self.begun.append(name)
        return OneOf(self, name)

    def done(self, name: str, error: BaseException | None) -> None:
        self.ended[name] = error

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _keep(self, kind: list[str], text: str) -> None:
        kind.append(text)
        self.said.append(text)
        for trigger, happens in self._triggers.items():
            if trigger in text:
                happens()


class Silent(Quiet):
    """Nobody answers: ^D at a terminal, the end of a pipe."""

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        self.asked.append(prompt)
        raise Unanswered


class OneOf(Quiet):
    """One machine's console: what it is told is kept by the whole, and answered from there."""

    def __init__(self, whole: Quiet, name: str) -> None:
        super().__init__(interactive=whole.interactive)
        self._whole = whole
        self._name = name

    def note(self, text: str, hint: str = NO_HINT) -> None:
        self._whole.note(f"{self._name}: {text}", hint)

    def warn(self, text: str, hint: str = NO_HINT) -> None:
        self._whole.warn(f"{self._name}: {text}", hint)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        with self._whole.step(f"{self._name}: {title}"):
            yield

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        return self._whole.ask(f"{self._name}: {prompt}", secret=secret)
