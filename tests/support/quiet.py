"""The one Console for tests that call functions: it keeps what it is told, and answers as it was told to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Quiet:
    """See machinectl.console.Console.

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
        self._triggers: dict[str, Callable[[], object]] = {}

    def when(self, text: str, happens: Callable[[], object]) -> None:
        """Do something as soon as a text is said."""
        self._triggers[text] = happens

    def note(self, text: str) -> None:
        self._keep(self.notes, text)

    def warn(self, text: str) -> None:
        self._keep(self.warnings, text)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._keep(self.steps, title)
        yield

    def ask(self, question: str, *, secret: bool = False) -> str:
        assert self.interactive, question
        assert secret, f"what is typed would be shown: {question}"
        self._keep(self.asked, question)
        answer = self.answers.pop(0)
        assert isinstance(answer, str), question
        return answer

    def confirm(self, question: str) -> bool:
        assert self.interactive or self.answers, question
        self._keep(self.asked, question)
        return self.answers.pop(0) in {True, "y", "yes"}

    def _keep(self, kind: list[str], text: str) -> None:
        kind.append(text)
        self.said.append(text)
        for trigger, happens in self._triggers.items():
            if trigger in text:
                happens()
