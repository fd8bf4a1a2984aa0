"""A Console for tests that call command functions: it keeps what it is told, and answers as it was told to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Quiet:
    """See machinectl.console.Console. `said` is every line; `answers` are given in their order."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.said: list[str] = []

    @property
    def interactive(self) -> bool:
        return bool(self.answers)

    def note(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.said.append(title)
        yield

    def ask(self, question: str, *, secret: bool = False) -> str:
        self.said.append(f"{question}{'(secret)' if secret else ''}")
        return self.answers.pop(0)

    def confirm(self, question: str) -> bool:
        self.said.append(question)
        return bool(self.answers) and self.answers.pop(0).lower() in {"y", "yes"}
