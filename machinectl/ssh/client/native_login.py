"""Log in over paramiko: keys, then a password, then the host's own prompts."""

from __future__ import annotations

import os
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import MachineError, one_line
from machinectl.ssh.client.connection_failures import LONGEST_SAID, see_ssh
from machinectl.ssh.client.denials import NEW_PASSWORD, cut_off, login_refused, new_password, wants_more
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.private_keys import NeedsPassphrase, load_key, read_public_key
from machinectl.ssh.ssh_errors import ConnectionLost, LoginRefused, NoKey, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.ssh_settings import Settings

# What paramiko raises if a connection ends.
FAILURES = (EOFError, OSError, paramiko.SSHException)
# sshd's LoginGraceTime in seconds: a person may have to fetch a code.
PERSON_TIMEOUT = 120.0
# A login asks a few questions.
MOST_QUESTIONS = 16


class Signer(paramiko.PKey):
    """A key of an agent, which may refuse to sign: paramiko would end the connection, and try no other key."""

    def __init__(self, key: paramiko.AgentKey) -> None:
        self.key = key
        self.public_blob = None
        self.failure = ""

    def get_name(self) -> str:
        return self.key.get_name()

    def asbytes(self) -> bytes:
        return self.key.blob

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:  # type: ignore[override]  # paramiko sends bytes, too
        try:
            return bytes(self.key.sign_ssh_data(data, algorithm))
        except (*FAILURES, struct.error) as exc:
            self.failure = failure_reason(exc)
            # The host refuses this.
            return b""


@dataclass
class NativeLogin:
    transport: paramiko.Transport
    settings: Settings
    credentials: Credentials
    console: Console
    # The host's methods, its prompts, and for the error message what was tried and why a key could not be used.
    methods: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    is_expired: bool = False
    # A key that the host accepted before it asked for more.
    accepted_key: str = ""

    def run(self) -> None:
        """Raises SSHError."""
        try:
            self._log_in()
        except MachineError:
            raise
        except Exception as exc:
            raise ConnectionLost(
                f"{self.settings.address} ended the connection during the login ({failure_reason(exc)})",
                see_ssh(self.settings),
            ) from exc

    def _log_in(self) -> None:
        user, transport = self.settings.user, self.transport
        # The refusal lists the host's methods.
        self._request(partial(transport.auth_none, user))
        if "publickey" in self.methods:
            self._offer_keys()
        password = self.credentials.password
        if not transport.is_authenticated() and "password" in self.methods:
            if not self._give_password():
                raise self._refused()
            password = None
        if not transport.is_authenticated() and "keyboard-interactive" in self.methods:
            self._answer_prompts(password)
        if not transport.is_authenticated():
            raise self._refused()

    def _request(self, send: Callable[[], list[str]]) -> bool:
        """Return whether a request succeeded, perhaps as one of several steps (RFC 4252 5.1)."""
        begun = time.monotonic()
        try:
            more = send()
        except paramiko.BadAuthenticationType as exc:
            self.methods = list(exc.allowed_types)
            return False
        except paramiko.AuthenticationException as exc:
            if not self.transport.is_active():
                # `get_banner` returns it only while the connection is there.
                banner = getattr(self.transport.auth_handler, "banner", None) or b""
                raise cut_off(self.settings, self.tried, banner.decode(errors="replace")) from exc
            if time.monotonic() - begun > self.transport.auth_timeout:
                raise ConnectionLost(
                    f"{self.settings.address} gave no answer during the login", see_ssh(self.settings)
                ) from exc
            return False
        self.methods = more or self.methods
        return True

    def _offer_keys(self) -> None:
        with ExitStack() as agents:
            self._offer_each(self._keys(agents))

    def _offer_each(self, keys: Iterable[tuple[str, paramiko.PKey]]) -> None:
        # An attribute that the stubs do not have.
        extensions: dict[str, bytes] = getattr(self.transport, "server_extensions", {})
        algorithms = extensions.get("server-sig-algs", b"")
        for label, key in keys:
            if key.get_name() == "ssh-rsa" and algorithms and b"rsa-sha2" not in algorithms:
                self.unused.append(f"{label} (the host accepts no RSA keys)")
                continue
            self.tried.append(label)
            if self._request(partial(self.transport.auth_publickey, self.settings.user, key)):
                self.accepted_key = label
                return
            if isinstance(key, Signer) and key.failure:
                self.unused.append(f"{label} ({key.failure})")

    def _keys(self, agents: ExitStack) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield keys of the agent first, and those with a passphrase last."""
        files = {path: read_public_key(f"{path}.pub") or read_public_key(path) for path in self.settings.keys}
        named = {public.blob for public in files.values() if public}
        held = self._agent_keys(agents)
        for signer in sorted(held, key=lambda each: each.asbytes() not in named):
            if signer.asbytes() in named or not self.settings.identities_only:
                yield f"the agent's {signer.key.comment or signer.get_name()}", signer
        blobs = {signer.asbytes() for signer in held}
        paths = [path for path, public in files.items() if not public or public.blob not in blobs]
        certificates = (*(f"{path}-cert.pub" for path in self.settings.keys), *self.settings.certificates)
        self.unused += [
            f"{path} (certificates need ssh, not --native-ssh)" for path in certificates if os.path.exists(path)
        ]
        locked = []
        for path in paths:
            try:
                yield path, load_key(path)
            except NeedsPassphrase:
                locked.append(path)
            except FileNotFoundError as exc:
                if self.settings.key_given:
                    raise NoKey(path) from exc
            except SSHError as exc:
                self._skip(exc)
        for path in locked:
            if key := self._unlock(path):
                yield path, key

    def _agent_keys(self, agents: ExitStack) -> list[Signer]:
        # paramiko asks no other agent.
        if not self.settings.agent or self.settings.agent != os.environ.get("SSH_AUTH_SOCK"):
            return []
        try:
            agent = paramiko.Agent()
            agents.callback(agent.close)
            return [Signer(key) for key in agent.get_keys()]
        except (*FAILURES, struct.error):
            return []

    def _skip(self, exc: SSHError) -> None:
        """Raises the error again if the user named the key."""
        if self.settings.key_given:
            raise exc
        self.unused.append(exc.cause)

    def _unlock(self, path: str) -> paramiko.PKey | None:
        given = self.credentials.passphrases.get(path) or self.credentials.passphrase
        if given is None and not self.console.interactive:
            self._skip(
                SSHError(
                    f"The key {path} needs a passphrase, and there is no terminal to ask for it",
                    f"Give --ssh-passphrase-file FILE, or let the agent hold it: ssh-add {path}",
                )
            )
            return None
        for _ in range(TRIES if given is None else 1):
            passphrase = given or ask_secret(self.console, f"Passphrase of {path}")
            if passphrase is None:
                self.unused.append(f"{path} (no passphrase)")
                return None
            try:
                key = load_key(path, passphrase)
            except NeedsPassphrase:
                if given is None:
                    self.console.warn(f"That does not open {path}")
                continue
            self.credentials.passphrases[path] = passphrase
            return key
        wrong = "given is not that" if given else f"was wrong {TRIES} times: it is not that"
        self._skip(LoginRefused(f"The passphrase {wrong} of {path}", f"Try it: ssh-keygen -y -f {path}"))
        return None

    def _give_password(self) -> bool:
        given = self.credentials.password
        for _ in range(TRIES if given is None else 1):
            password = given or ask_secret(self.console, f"Password of {self.settings.login}")
            if password is None:
                return False
            self.tried.append("the password given" if given else "the password typed")
            if self._request(partial(self.transport.auth_password, self.settings.user, password, fallback=False)):
                self.credentials.password = password
                return True
            if given is None:
                self.console.warn(f"{self.settings.address} does not take that password")
        return False

    def _answer_prompts(self, password: str | None) -> None:
        """Give the password once, for the first hidden prompt; ask a person the others (RFC 4256)."""
        passwords = iter([password] if password else [])
        self.tried += ["the password given"] if password else []
        self.transport.auth_timeout = PERSON_TIMEOUT

        def answer(title: str, instructions: str, prompts: Iterable[tuple[str, bool]]) -> list[str]:
            text = " ".join([title, instructions, *(prompt for prompt, _ in prompts)])
            self.is_expired = self.is_expired or NEW_PASSWORD.search(text) is not None
            asked = [(one_line(prompt.strip().rstrip(":"), LONGEST_SAID), shown) for prompt, shown in prompts]
            self.prompts += [prompt for prompt, _ in asked] or [""]
            if len(self.prompts) > MOST_QUESTIONS:
                raise SSHError(f"{self.settings.address} asks questions without end", see_ssh(self.settings))
            # As OpenSSH does, name the host: its prompt may pretend to be ours.
            return [
                (None if shown else next(passwords, None))
                or ask_secret(self.console, f"({self.settings.login}) {prompt}")
                or ""
                for prompt, shown in asked
            ]

        for _ in range(TRIES if self.console.interactive else 1):
            if self._request(partial(self.transport.auth_interactive, self.settings.user, answer)):
                return

    def _refused(self) -> LoginRefused:
        if self.is_expired:
            return LoginRefused(*new_password(self.settings))
        if not self.accepted_key:
            return login_refused(self.settings, self.tried, self.unused, self.methods)
        question = self.prompts[-1] if self.prompts else ""
        return wants_more(self.settings, self.accepted_key, self.methods, question, asks=self.console.interactive)


def failure_reason(failure: BaseException | None) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    if failure is None or isinstance(failure, EOFError):
        return "it was closed"
    if isinstance(failure, paramiko.ChannelException):
        return one_line(str(failure.text), LONGEST_SAID)
    if isinstance(failure, TimeoutError):
        return "it gave no answer in time"
    if not isinstance(failure, FAILURES):
        # Whatever broke in paramiko's thread, such as struct.error or IndexError.
        return "it sends broken packets"
    return one_line(str(failure), LONGEST_SAID) or type(failure).__name__
