from __future__ import annotations

import os
import pty
import select

from tests.support.program import resize


class Person:
    """Somebody at a terminal in which a program runs."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.seen = ""
        self.ended = False

    def resize(self, rows: int, columns: int) -> None:
        resize(self._terminal, rows, columns)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str) -> None:
        """Read up to a text that comes after what was waited for before."""
        while text not in self.seen:
            assert select.select([self._terminal], [], [], 20)[0], self.seen
            self.seen += os.read(self._terminal, 1 << 16).decode()
        self.seen = self.seen.partition(text)[2]

    def close(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        self.ended = True
        return os.waitstatus_to_exitcode(status)
