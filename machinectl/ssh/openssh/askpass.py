"""Answer what ssh and ssh-add ask (SSH_ASKPASS): their questions reach this process through a socket.

Each login of a chain has a socket of its own, so that a jump host cannot ask for the host's password.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import socket
import sys
import time
from typing import TYPE_CHECKING

from machinectl.errors import Hint, one_line
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.openssh.ssh_options import quote_config_path
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import IO

    from machinectl.console import Console

# The start of ssh's questions is shown; bytes.
LONGEST_QUESTION = 1 << 12
# Characters of a question that are shown, and how many one login may ask.
LONGEST_SHOWN, MOST_QUESTIONS = 100, 16
# How often to check for the program's end, in seconds.
LOOK_SECONDS = 0.05
# The kind of a prompt that needs no answer (SSH_ASKPASS_PROMPT): a token wants to be touched.
NOTICE = "none"
SCRIPT = """
import os, socket, sys
os.chdir(sys.argv[1])
with socket.socket(socket.AF_UNIX) as server:
    server.connect("question")
    asked = "\\0".join([os.environ.get("SSH_ASKPASS_PROMPT", ""), *sys.argv[2:3]])
    server.sendall(asked.encode(errors="surrogateescape")[:4096])
    server.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: server.recv(4096), b""))
sys.stdout.buffer.write(answer[1:])
sys.exit(not answer)
"""


class AskPass:
    """The program for SSH_ASKPASS in a private directory. `answer` takes the kind of a prompt and its text."""

    def __init__(self, directory: str, answer: Callable[[str, str], str | None]) -> None:
        self._answer = answer
        self.program = os.path.join(directory, "askpass")
        python = shlex.join([sys.executable, "-IS", "-c", SCRIPT, directory])
        with open(self.program, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f'#!/bin/sh\nexec {python} "$1"\n')
        os.chmod(self.program, 0o700)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(directory, "question"))
        self._listener.listen()
        # Connections whose programs wait for the end of the login.
        self._notified: list[socket.socket] = []

    @property
    def environment(self) -> dict[str, str]:
        """Before OpenSSH 8.4, only DISPLAY lets ssh use it, and only without a terminal."""
        display = os.environ.get("DISPLAY") or ":0"
        return {"SSH_ASKPASS": self.program, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": display}

    def fileno(self) -> int:
        return self._listener.fileno()

    def attend(self) -> None:
        """Read a question, and answer it."""
        connection = self._listener.accept()[0]
        with contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            asked = b""
            with contextlib.suppress(OSError):
                while len(asked) < LONGEST_QUESTION and (piece := connection.recv(LONGEST_QUESTION)):
                    asked += piece
                kind, _, question = asked.decode(errors="replace").partition("\0")
                answer = self._answer(kind, question)
                if kind == NOTICE:
                    self._notified.append(connection)
                    stack.pop_all()
                elif answer is not None:
                    connection.sendall(b"=" + answer.encode(errors="surrogateescape") + b"\n")

    def close(self) -> None:
        for each in (self._listener, *self._notified):
            each.close()


class Visit(contextlib.AbstractContextManager["Visit"]):
    """A socket in place of an agent. ssh visits it only after it has accepted the host's key."""

    def __init__(self, path: str) -> None:
        self.is_made = False
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()

    @property
    def options(self) -> dict[str, str]:
        """Return ssh's options; no key of the user's is of this type, so that none is offered."""
        return {
            "StrictHostKeyChecking": "yes",
            "NoHostAuthenticationForLocalhost": "no",
            "UpdateHostKeys": "no",
            "PreferredAuthentications": "publickey",
            "PubkeyAuthentication": "yes",
            "PubkeyAcceptedKeyTypes": "ecdsa-sha2-nistp521-cert-v01@openssh.com",
            "IdentitiesOnly": "no",
            "IdentityAgent": quote_config_path(self._path),
        }

    def fileno(self) -> int:
        return self._listener.fileno()

    def attend(self) -> None:
        self.is_made = True
        self._listener.accept()[0].close()

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        os.unlink(self._path)


def wait_for_output(
    stream: IO[bytes], asking: Iterable[AskPass | Visit], seconds: float, is_over: Callable[[], bool]
) -> bytes | None:
    """Return a line of a program's output, b"" at its end; answer its questions meanwhile.

    Return None after `seconds` without the time that people take to answer, or if it `is_over`.
    """
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        for each in asking:
            selector.register(each, selectors.EVENT_READ, data=each)
        while (left := deadline - time.monotonic()) > 0 and not is_over():
            for key, _ in selector.select(min(left, LOOK_SECONDS)):
                if key.data is None:
                    return stream.readline(LONGEST_QUESTION)
                begun = time.monotonic()
                key.data.attend()
                deadline += time.monotonic() - begun
    return None


class Answers:
    """Answers the questions of one login: with the given password once, else by who is at the terminal."""

    def __init__(self, console: Console, login: str, names: Sequence[str], password: str | None) -> None:
        """`names` are those that ssh may give the login in its questions."""
        self._console = console
        self._login = login
        self._names = names
        self.password = password
        self._questions = 0
        self._last = ""
        # For error messages, and the last answer that was typed.
        self.tried: list[str] = []
        self.typed: str | None = None

    def __call__(self, kind: str, question: str) -> str | None:
        if kind == NOTICE:
            self._console.note(f"{self._login}: {one_line(question, LONGEST_SHOWN)}")
            return None
        self._questions += 1
        if self.password is not None and self._questions == 1:
            self.tried.append("the password given")
            return self.password
        words = self._words(question)
        if self.password is None and words == self._last and self._questions <= TRIES:
            self._console.warn(f"{self._login} does not take that")
        self._last = words
        if self._questions > MOST_QUESTIONS:
            raise SSHError(f"{self._login} asks questions without end", Hint("Look at the host: it may be another one"))
        self.typed = ask_secret(self._console, words)
        if self.typed is not None:
            self.tried.append("the password typed")
        return self.typed

    def _words(self, question: str) -> str:
        """Name the host: ssh names the host key's alias, and the host's own words may pretend to be ours."""
        if any(question == f"{name}'s password: " for name in self._names):
            return f"Password of {self._login}"
        for name in self._names:
            question = question.removeprefix(f"({name}) ")
        return f"({self._login}) {one_line(question.strip().rstrip(':'), LONGEST_SHOWN)}"
