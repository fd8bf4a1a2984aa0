"""Log in with keys and certificates, from the agent and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from paramiko.pkey import PublicBlob

from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.keys import private_keys
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.known_hosts import HostKey
from machinectl.ssh.keys.private_keys import KeyFile
from machinectl.ssh.ssh_errors import LoginRefused, NoKey, SSHError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.ssh.client.login_attempt import LoginAttempt
    from machinectl.ssh.keys.private_keys import Agent


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    label: str
    public: HostKey
    key: paramiko.AgentKey


class KeyLogin:
    def __init__(self, attempt: LoginAttempt, agent: Agent | None) -> None:
        self._attempt = attempt
        self._settings = attempt.settings
        self._credentials = attempt.credentials
        self._console = attempt.console
        self._agent = agent

    def run(self) -> None:
        for candidate in self._candidates():
            asks = isinstance(candidate, KeyFile) and candidate.encrypted and not candidate.on_token
            if asks and not self._attempt.tried and self._attempt.is_granted_without_proof():
                return
            if self._offer(candidate):
                return

    def _candidates(self) -> Iterator[AgentIdentity | KeyFile]:
        """Yield keys without a passphrase first."""
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
        """Raises SSHError only if the user named the key."""
        try:
            return private_keys.read_key(path)
        except FileNotFoundError as exc:
            if self._settings.key_given:
                raise NoKey(path) from exc
        except SSHError as exc:
            self._skip(exc)
        return None

    def _skip(self, exc: SSHError) -> None:
        """Raises the error again if the user named the key."""
        if self._settings.key_given:
            raise exc
        self._attempt.unused.append(exc.cause)

    def _offer(self, candidate: AgentIdentity | KeyFile) -> bool:
        if isinstance(candidate, AgentIdentity):
            return self._try_certificates(candidate.public, candidate.key) or self._try(candidate.label, candidate.key)
        if candidate.on_token:
            self._attempt.tried.append(candidate.path)
            if candidate.public is not None and self._attempt.would_accept(candidate.public):
                raise private_keys.token_needed(candidate)
            return False
        pkey = self._open(candidate)
        if pkey is None:
            return False
        public = HostKey(pkey.get_name(), pkey.asbytes())
        return self._try_certificates(public, pkey, f"{candidate.path}-cert.pub") or self._try(candidate.path, pkey)

    def _try_certificates(self, public: HostKey, key: paramiko.PKey, *beside: str) -> bool:
        certificates = private_keys.certificates_of(public, (*beside, *self._settings.certificates))
        for path, certificate in certificates.items():
            key.public_blob = PublicBlob(certificate.type, certificate.blob)
            if self._try(path, key):
                return True
            key.public_blob = None
        return False

    def _try(self, label: str, key: paramiko.PKey) -> bool:
        self._attempt.tried.append(label)
        try:
            granted = self._attempt.request(lambda request: request.auth_publickey(self._settings.user, key))
        except (paramiko.SSHException, OSError) as exc:
            # The agent did not sign: it is locked or stopped, or the user declined.
            if not self._attempt.is_connected:
                raise
            self._attempt.unused.append(f"{label} ({failure_reason(exc)})")
            return False
        if granted and not self._attempt.is_granted:
            self._attempt.accepted_key = label
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
                self._skip(exc)
                return None
        passphrase = self._credentials.passphrases.get(key.path) or self._credentials.passphrase
        if passphrase is not None:
            return self._open_with(key, passphrase)
        if self._console.interactive:
            return self._ask_passphrase(key)
        if self._settings.key_given:
            raise SSHError(
                f"The key {key.path} needs a passphrase, and there is no terminal to ask for it",
                f"Give --ssh-passphrase-file FILE, or let the agent hold it: ssh-add {key.path}",
            )
        self._attempt.unused.append(f"{key.path} (needs a passphrase: --ssh-passphrase-file)")
        return None

    def _open_with(self, key: KeyFile, passphrase: str) -> paramiko.PKey | None:
        try:
            return private_keys.unlock(key, passphrase)
        except private_keys.WrongPassphrase as exc:
            if self._settings.key_given:
                raise SSHError(
                    f"The passphrase given is not that of {key.path}", f"Try it: ssh-keygen -y -f {key.path}"
                ) from exc
            self._attempt.unused.append(f"{key.path} (the passphrase given does not open it)")
            return None

    def _ask_passphrase(self, key: KeyFile) -> paramiko.PKey | None:
        if key.public is not None and not self._attempt.would_accept(key.public):
            self._attempt.tried.append(key.path)
            return None
        for _ in range(TRIES):
            passphrase = ask_secret(self._console, f"Passphrase of {key.path}")
            if passphrase is None:
                self._attempt.unused.append(f"{key.path} (no passphrase)")
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


def agent_identities(agent: Agent | None) -> list[AgentIdentity]:
    if agent is None:
        return []
    return [
        AgentIdentity(f"the agent's {key.comment or key.get_name()}", HostKey(key.get_name(), key.blob), key)
        for key in agent.get_keys()
    ]
