"""Authentication in OpenSSH's order: the agent's keys, key files, then a password or the server's questions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from machinectl.errors import one_line
from machinectl.ssh.client.denials import NEW_PASSWORD, instead_of_login, new_password
from machinectl.ssh.client.handshake import LONGEST_SAID, failure_reason
from machinectl.ssh.client.transport import AuthenticationTimeout
from machinectl.ssh.keys import private_keys
from machinectl.ssh.keys.credentials import TRIES, ask
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.keys.private_keys import KeyFile
from machinectl.ssh.ssh_errors import ANOTHER_KEY, ConnectionLost, LoginRefused, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.ssh.client.transport import Authentication, Transport
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.keys.private_keys import Agent
    from machinectl.ssh.ssh_settings import Settings

# sshd's LoginGraceTime: a person may have to fetch a code first. Seconds.
PERSON_TIMEOUT = 120.0
PASSWORD_METHODS = ("password", "keyboard-interactive")
# Prompts for a code, which a password does not answer: pam_google_authenticator, pam_oath, Duo and others.
CODE = re.compile(r"\b(code|token|otp|totp|one[- ]time|passcode|duo)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """A key that the agent holds."""

    label: str
    public: HostKey
    key: paramiko.AgentKey


def log_in(transport: Transport, settings: Settings, credentials: Credentials, console: Console) -> None:
    """Authenticate, or raise LoginRefused saying what the host accepts and what was tried."""
    agent = private_keys.open_agent(settings.agent)
    try:
        Login(transport, settings, credentials, console, agent).run()
    except (EOFError, OSError, AuthenticationTimeout) as exc:
        how = "gave no answer" if isinstance(exc, AuthenticationTimeout) else "ended the connection"
        raise ConnectionLost(f"{settings.address} {how} during the login", retry(settings)) from exc
    except paramiko.SSHException as exc:
        raise SSHError(f"The login at {settings.address} failed: {failure_reason(exc)}", retry(settings)) from exc
    finally:
        if agent is not None:
            agent.close()


class Login:
    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        credentials: Credentials,
        console: Console,
        agent: Agent | None,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._credentials = credentials
        self._console = console
        self._agent = agent
        # For the message when all is in vain: what was tried, and why what is there was not.
        self._tried: list[str] = []
        self._unused: list[str] = []
        self._asked_for_none = False
        # The key that a server accepted before it asked for more, and its prompts.
        self._accepted = ""
        self._prompts: list[str] = []
        # The server asked for a new password in place of one that has expired.
        self._expired = False

    def run(self) -> None:
        for candidate in self._candidates():
            asks = isinstance(candidate, KeyFile) and candidate.encrypted and not candidate.on_token
            if (asks and not self._tried and self._granted_without_proof()) or self._offer(candidate):
                break
        if not self._transport.is_authenticated():
            if self._tried or not self._granted_without_proof():
                self._answer_questions()
            self._granted_without_proof()
        if not self._transport.is_authenticated():
            raise self._refused()

    def _granted_without_proof(self) -> bool:
        """Whether the server lets us in as we are (RFC 4252 5.2: "none"); one that does not says what it takes.

        Asked once, and last where there are keys to try: it costs a round trip, and sshd counts it among a few attempts
        unless it is the first.
        """
        if not self._asked_for_none and not self._transport.is_authenticated():
            self._asked_for_none = True
            self._attempt(lambda: self._authentication.auth_none(self._settings.user))
        return self._transport.is_authenticated()

    @property
    def _authentication(self) -> Authentication:
        return self._transport.authentication

    @property
    def _methods(self) -> list[str]:
        return self._transport.authentication.methods

    def _attempt(self, request: Callable[[], list[str]]) -> bool:
        """Make a request. True if it was granted, or is one of several that the server wants (RFC 4252 5.1)."""
        try:
            request()
        except paramiko.AuthenticationException as exc:
            if not self._transport.is_active():
                raise self._cut_off() from exc
            return False
        return True

    def _candidates(self) -> Iterator[AgentIdentity | KeyFile]:
        """Keys in the order they are offered: those that ask nobody anything first."""
        held = agent_identities(self._agent)
        files = [key for path in self._settings.keys if (key := self._read(path)) is not None]
        named = [key.public for key in files]
        yield from (identity for public in named for identity in held if identity.public == public)
        in_agent = [identity.public for identity in held]
        rest = [key for key in files if key.public is None or key.public not in in_agent]
        if not self._settings.identities_only:
            yield from (identity for identity in held if identity.public not in named)
        yield from sorted(rest, key=lambda key: (key.encrypted, key.on_token))

    def _read(self, path: str) -> KeyFile | None:
        """A key's file; one that the user named must be there and be a key, any other may be missing."""
        try:
            return private_keys.read_key(path)
        except FileNotFoundError as exc:
            if self._settings.key_given:
                raise SSHError(f"There is no key {path}", f"See: ls -l {path}") from exc
        except SSHError as exc:
            if self._settings.key_given:
                raise
            self._unused.append(exc.cause)
        return None

    def _offer(self, candidate: AgentIdentity | KeyFile) -> bool:
        if isinstance(candidate, AgentIdentity):
            return self._try_certificates(candidate.public, candidate.key) or self._try_key(
                candidate.label, candidate.key
            )
        if candidate.on_token:
            return self._offer_token(candidate)
        pkey = self._open(candidate)
        if pkey is None:
            return False
        public = HostKey(pkey.get_name(), pkey.asbytes())
        return self._try_certificates(public, pkey, f"{candidate.path}-cert.pub") or self._try_key(candidate.path, pkey)

    def _offer_token(self, key: KeyFile) -> bool:
        """Find out whether a key would do whose private half is on a token. Raises TokenNeeded where it would."""
        self._tried.append(key.path)
        if key.public is not None and self._would_accept(key.public):
            raise private_keys.token_needed(key)
        return False

    def _try_certificates(self, public: HostKey, key: paramiko.PKey, *beside: str) -> bool:
        """Show each certificate of a key in its place."""
        for certificate in private_keys.certificates_of(public, (*beside, *self._settings.certificates)):
            key.public_blob = certificate.shown()
            if self._try_key(certificate.path, key):
                return True
            key.public_blob = None
        return False

    def _try_key(self, label: str, key: paramiko.PKey) -> bool:
        self._tried.append(label)
        try:
            granted = self._attempt(lambda: self._authentication.auth_publickey(self._settings.user, key))
        except (paramiko.SSHException, OSError) as exc:
            # The agent did not sign: it is locked, it is gone, or its owner said no.
            if not self._transport.is_active():
                raise
            self._unused.append(f"{label} ({failure_reason(exc)})")
            return False
        if granted and not self._transport.is_authenticated():
            self._accepted = label
        return granted

    def _open(self, key: KeyFile) -> paramiko.PKey | None:
        if key.public_only:
            if self._settings.key_given:
                raise SSHError(f"{key.path} is a public key, and the agent does not hold it", "Name the private key")
            return None
        if not key.encrypted:
            try:
                return private_keys.unlock(key, None)
            except SSHError as exc:
                if self._settings.key_given:
                    raise
                self._unused.append(exc.cause)
                return None
        known = self._credentials.passphrases.get(key.path) or self._credentials.passphrase
        if known is not None:
            return self._open_with(key, known)
        if self._settings.key_given and not self._console.interactive:
            raise SSHError(
                f"The key {key.path} needs a passphrase, and there is no terminal to ask for it",
                f"Give --ssh-passphrase-file FILE, or let the agent hold it: ssh-add {key.path}",
            )
        if not self._console.interactive:
            self._unused.append(f"{key.path} (needs a passphrase: --ssh-passphrase-file)")
            return None
        return self._ask_passphrase(key)

    def _open_with(self, key: KeyFile, passphrase: str) -> paramiko.PKey | None:
        try:
            return private_keys.unlock(key, passphrase)
        except private_keys.WrongPassphrase as exc:
            if self._settings.key_given:
                raise SSHError(
                    f"The passphrase given is not that of {key.path}", f"Try it: ssh-keygen -y -f {key.path}"
                ) from exc
            self._unused.append(f"{key.path} (the passphrase given does not open it)")
            return None

    def _ask_passphrase(self, key: KeyFile) -> paramiko.PKey | None:
        if key.public is not None and not self._would_accept(key.public):
            self._tried.append(key.path)
            return None
        for _ in range(TRIES):
            passphrase = ask(self._console, f"Passphrase of {key.path}")
            if passphrase is None:
                self._unused.append(f"{key.path} (no passphrase)")
                return None
            try:
                pkey = private_keys.unlock(key, passphrase)
            except private_keys.WrongPassphrase:
                self._console.warn(f"That does not open {key.path}")
                continue
            self._credentials.passphrases[key.path] = passphrase
            return pkey
        raise LoginRefused(
            f"The passphrase of {key.path} was wrong {TRIES} times",
            f"Try it: ssh-keygen -y -f {key.path}",
        )

    def _would_accept(self, public: HostKey) -> bool:
        try:
            return self._transport.authentication.would_accept(self._settings.user, public)
        except paramiko.AuthenticationException as exc:
            raise self._cut_off() from exc

    def _answer_questions(self) -> None:
        """Password login, and whatever a server that wants several proofs asks for next."""
        if not any(method in self._methods for method in PASSWORD_METHODS):
            return
        if self._accepted and "password" not in self._methods:
            # The prompt may be for a code, so show the server's own text.
            for _ in range(TRIES if self._console.interactive else 1):
                if self._try_questions(self._credentials.password):
                    return
            return
        given = self._credentials.password
        if given is not None:
            self._tried.append("the password given")
            self._try_password(given)
            return
        for _ in range(TRIES):
            password = ask(self._console, f"Password of {self._settings.login}")
            if password is None:
                return
            self._tried.append("the password typed")
            if self._try_password(password):
                self._credentials.password = password
                return
            self._console.warn(f"{self._settings.address} does not take that password")

    def _try_password(self, password: str) -> bool:
        if "password" not in self._methods:
            return self._try_questions(password)
        granted = self._attempt(lambda: self._authentication.auth_password(self._settings.user, password))
        return granted and (self._transport.is_authenticated() or self._try_questions(None))

    def _try_questions(self, password: str | None) -> bool:
        """keyboard-interactive (RFC 4256): the password answers the first hidden prompt, a person any other."""
        if "keyboard-interactive" not in self._methods:
            return False
        answers = iter([password])

        def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
            asked = " ".join([title, instructions, *(prompt for prompt, _ in prompts)])
            self._expired = self._expired or NEW_PASSWORD.search(asked) is not None
            self._prompts += [one_line(prompt.strip().rstrip(":"), LONGEST_SAID) for prompt, _ in prompts]
            return [
                (None if shown or CODE.search(prompt) else next(answers, None)) or self._ask_for(prompt) or ""
                for prompt, shown in prompts
            ]

        if self._console.interactive:
            self._transport.auth_timeout = PERSON_TIMEOUT
        self._attempt(lambda: self._authentication.auth_interactive(self._settings.user, answer))
        return self._transport.is_authenticated()

    def _ask_for(self, prompt: str) -> str | None:
        """Ask what a server wants to know; who asks is said, as OpenSSH does: a server may pretend to be us."""
        return ask(self._console, f"({self._settings.login}) {one_line(prompt.strip().rstrip(':'), LONGEST_SAID)}")

    def _cut_off(self) -> LoginRefused:
        said = self._authentication.said
        attempts = "1 attempt" if len(self._tried) == 1 else f"{len(self._tried)} attempts"
        meant = instead_of_login(self._settings, said)
        if meant is not None:
            return meant
        advice = "It allows a few attempts: "
        if said.strip() and len(self._tried) == 1:
            # pam_nologin(8) shows the text that the admin wrote.
            advice = "If that is the text of /run/nologin there, wait, or remove it as root: rm /run/nologin; else "
        return LoginRefused(
            f"{self._settings.address} ended the connection after {attempts} to log in as "
            f"{self._settings.user}: {', '.join(self._tried) or 'none of ours'}"
            f"{f'; it said {one_line(said, LONGEST_SAID)!r}' if said.strip() else ''}",
            f"{advice}name the right key, {ANOTHER_KEY}, or check the password",
        )

    def _refused(self) -> LoginRefused:
        if self._expired:
            return LoginRefused(*new_password(self._settings))
        methods = self._methods
        if self._accepted:
            return self._wants_more(methods)
        tried = f"tried: {', '.join(self._tried)}" if self._tried else "there was no key to try"
        unused = f"; not usable: {', '.join(self._unused)}" if self._unused else ""
        cause = (
            f"{self._settings.login} refuses the login ({tried}{unused}); it accepts {', '.join(methods) or 'nothing'}"
        )
        if any(method in methods for method in PASSWORD_METHODS):
            hint = f"Name a key, {ANOTHER_KEY}, or give the password, --ssh-password-file FILE"
        else:
            hint = f"Name the right key, {ANOTHER_KEY}, or try: ssh {self._settings.login_options}"
        return LoginRefused(cause, hint)

    def _wants_more(self, methods: list[str]) -> LoginRefused:
        """Return the error for an accepted key that the host does not find enough."""
        asks = f", and asks: {self._prompts[-1]!r}" if self._prompts else ""
        alone = f"on the host, AuthenticationMethods publickey in sshd_config for {self._settings.user}"
        if "password" in methods:
            hint = f"Give the password, --ssh-password-file FILE; or let the key suffice: {alone}"
        elif self._console.interactive:
            hint = f"Try it: ssh {self._settings.login_options}; or let the key suffice: {alone}"
        else:
            hint = f"Run it at a terminal, where the host asks for the code; or let the key suffice: {alone}"
        return LoginRefused(
            f"{self._settings.login} accepts the key {self._accepted} and wants more: it accepts {', '.join(methods)} "
            f"now{asks}",
            hint,
        )


def agent_identities(agent: Agent | None) -> list[AgentIdentity]:
    if agent is None:
        return []
    return [
        AgentIdentity(f"the agent's {key.comment or key.get_name()}", HostKey(key.get_name(), key.blob), key)
        for key in agent.get_keys()
    ]


def retry(settings: Settings) -> str:
    return f"See what ssh says: ssh -v {settings.login_options}"
