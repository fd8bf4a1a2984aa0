"""Log in over paramiko, after SSHClient has checked the host's key: keys, then a password, then the host's prompts."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import TYPE_CHECKING

import paramiko
from paramiko.auth_strategy import AuthResult, AuthSource, AuthStrategy

from machinectl.errors import MachineError, one_line
from machinectl.ssh.connection_failures import (
    LONGEST_SAID,
    NEW_PASSWORD,
    cut_off,
    login_refused,
    lost_during_login,
    new_password,
    see_ssh,
    wants_more,
)
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.private_keys import NeedsPassphrase, load_key, read_public_key, unlocked
from machinectl.ssh.ssh_errors import LoginRefused, NoKey, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.ssh_settings import Settings

# paramiko raises these if a connection ends.
FAILURES = (EOFError, OSError, paramiko.SSHException)
# sshd's LoginGraceTime in seconds: a person may have to fetch a code.
PERSON_TIMEOUT = 120.0
# A login asks a few questions, each with a title.
MOST_QUESTIONS = 32


class NoLogin(AuthStrategy):
    """Checks only the host's key."""

    def __init__(self) -> None:
        super().__init__(paramiko.SSHConfig())

    def get_sources(self) -> Iterator[AuthSource]:
        return iter(())

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:  # noqa: ARG002 - paramiko names it
        return AuthResult(self)


class NativeLogin(NoLogin):
    def __init__(self, settings: Settings, credentials: Credentials, console: Console) -> None:
        super().__init__()
        self._settings, self._credentials, self._console = settings, credentials, console
        self._given = credentials.password
        # For the error message: the host's methods, what was tried, why a key could not be used, what the host asked.
        self._methods: list[str] = []
        self._tried: list[str] = []
        self._unused: list[str] = []
        self._asked: list[str] = []
        # A key that the host accepted before it asked for more.
        self._accepted = ""

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Raises SSHError."""
        try:
            self._log_in(transport)
        except MachineError:
            raise
        except Exception as exc:
            raise lost_during_login(self._settings, failure_reason(exc)) from exc
        return AuthResult(self)

    def _log_in(self, transport: paramiko.Transport) -> None:
        # The refusal lists the host's methods.
        self._is_taken(transport, transport.auth_none)
        if "publickey" in self._methods:
            self._offer_keys(transport)
        if not transport.is_authenticated() and "password" in self._methods and not self._give_password(transport):
            raise self._refused()
        if not transport.is_authenticated() and "keyboard-interactive" in self._methods:
            self._answer_prompts(transport)
        if not transport.is_authenticated():
            raise self._refused()

    def _is_taken(self, transport: paramiko.Transport, request: Callable[..., list[str]], *given: object) -> bool:
        """Return whether a request succeeded, perhaps as one of several steps (RFC 4252 5.1)."""
        begun = time.monotonic()
        try:
            more = request(self._settings.user, *given)
        except paramiko.BadAuthenticationType as exc:
            self._methods = list(exc.allowed_types)
            return False
        except paramiko.AuthenticationException as exc:
            if not transport.is_active():
                # `get_banner` returns it only while the connection is there.
                banner = getattr(transport.auth_handler, "banner", None) or b""
                raise cut_off(self._settings, self._tried, banner.decode(errors="replace")) from exc
            if time.monotonic() - begun > transport.auth_timeout:
                raise lost_during_login(self._settings) from exc
            return False
        self._methods = more or self._methods
        return True

    def _offer_keys(self, transport: paramiko.Transport) -> None:
        with contextlib.closing(paramiko.Agent()) as agent:
            for label, key in self._keys(agent):
                self._tried.append(label)
                if self._is_taken(transport, transport.auth_publickey, key):
                    self._accepted = label
                    return

    def _keys(self, agent: paramiko.Agent) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield keys of the agent first, those that are named first of all, and those with a passphrase last."""
        settings = self._settings
        files = {path: read_public_key(f"{path}.pub") or read_public_key(path) for path in settings.keys}
        named = {public.blob for public in files.values() if public}
        # paramiko asks no other agent.
        is_agents = settings.agent and settings.agent == os.environ.get("SSH_AUTH_SOCK")
        held = {key.blob: key for key in (agent.get_keys() if is_agents else ())}
        for blob in sorted(held, key=lambda each: each not in named):
            if blob in named or not settings.identities_only:
                yield f"the agent's {held[blob].comment or held[blob].get_name()}", held[blob]
        certificates = [f"{path}-cert.pub" for path in settings.keys]
        self._unused += [f"{path} (certificates need ssh)" for path in certificates if os.path.exists(path)]
        locked = []
        for path in [path for path, public in files.items() if not public or public.blob not in held]:
            try:
                yield path, load_key(path)
            except NeedsPassphrase:
                locked.append(path)
            except (FileNotFoundError, SSHError) as exc:
                self._skip(path, exc)
        for path in locked:
            try:
                yield path, unlocked(path, self._credentials, self._console, partial(load_key, path))
            except SSHError as exc:
                self._skip(path, exc)

    def _skip(self, path: str, failure: FileNotFoundError | SSHError) -> None:
        """Raises the error again if the user named the key."""
        if isinstance(failure, SSHError):
            self._unused.append(failure.cause)
        if self._settings.key_given:
            raise failure if isinstance(failure, SSHError) else NoKey(path)

    def _give_password(self, transport: paramiko.Transport) -> bool:
        is_given = bool(self._given)
        for _ in range(1 if is_given else TRIES):
            password = self._answer(f"Password of {self._settings.login}")
            if password is None:
                return False
            self._tried += [] if is_given else ["the password typed"]
            if self._is_taken(transport, partial(transport.auth_password, fallback=False), password):
                self._credentials.password = password
                return True
            if not is_given:
                self._console.warn(f"{self._settings.address} does not take that password")
        return False

    def _answer(self, question: str) -> str | None:
        """Give the password once; ask a person whatever comes then."""
        if self._given:
            password, self._given = self._given, ""
            self._tried.append("the password given")
            return password
        return ask_secret(self._console, question)

    def _answer_prompts(self, transport: paramiko.Transport) -> None:
        """Give the password for the first hidden prompt; ask a person the others (RFC 4256)."""
        transport.auth_timeout = PERSON_TIMEOUT

        def answer(title: str, instructions: str, prompts: Iterable[tuple[str, bool]]) -> list[str]:
            questions = [(one_line(prompt.strip().rstrip(":"), LONGEST_SAID), shown) for prompt, shown in prompts]
            self._asked += [f"{title} {instructions}", *(question for question, _ in questions)]
            if len(self._asked) > MOST_QUESTIONS:
                raise SSHError(f"{self._settings.address} asks questions without end", see_ssh(self._settings))
            # As OpenSSH does, name the host: its prompt may pretend to be ours.
            named = [(f"({self._settings.login}) {question}", shown) for question, shown in questions]
            return [(ask_secret(self._console, text) if shown else self._answer(text)) or "" for text, shown in named]

        for _ in range(TRIES if self._console.interactive else 1):
            if self._is_taken(transport, transport.auth_interactive, answer):
                return

    def _refused(self) -> LoginRefused:
        if NEW_PASSWORD.search(" ".join(self._asked)):
            return LoginRefused(*new_password(self._settings))
        if not self._accepted:
            return login_refused(self._settings, self._tried, self._unused, self._methods)
        question = self._asked[-1] if self._asked else ""
        return wants_more(self._settings, self._accepted, self._methods, question, asks=self._console.interactive)


def failure_reason(failure: BaseException | None) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    if failure is None or isinstance(failure, EOFError):
        return "it was closed"
    if isinstance(failure, TimeoutError):
        return "it gave no answer in time"
    if not isinstance(failure, FAILURES):
        # A failure in paramiko's thread, such as struct.error or IndexError.
        return "it sends broken packets"
    said = failure.text if isinstance(failure, paramiko.ChannelException) else failure
    return one_line(str(said), LONGEST_SAID) or type(failure).__name__
