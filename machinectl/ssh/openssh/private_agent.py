"""An ssh-agent of our own: a passphrase unlocks a key once, and every ssh that we start can use it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.process_streams import query_program
from machinectl.ssh.keys.private_keys import NeedsPassphrase, is_locked, read_public_key, unlocked, unusable_key
from machinectl.ssh.openssh.askpass import AskPass, wait_for_output
from machinectl.ssh.ssh_errors import NoKey, SSHError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from machinectl.console import Console
    from machinectl.ssh.openssh.hops import Hop

# It ends with its pipe, so also if we are killed.
GUARD = 'echo; read end; kill "$SSH_AGENT_PID"'
# How long ssh-agent and ssh-add may take, in seconds: some keys take long to unlock.
PATIENCE = 60.0


class PrivateAgent:
    def __init__(self, directory: str, stack: ExitStack) -> None:
        """Start it. Raises MachineError."""
        self._directory = directory
        self.socket = os.path.join(directory, "agent")
        command = ["ssh-agent", "-a", self.socket, "/bin/sh", "-c", GUARD]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as exc:
            raise MachineError(
                f"ssh-agent cannot be started: {exc.strerror}", Hint("Install the OpenSSH client")
            ) from exc
        stack.callback(end, process)
        if process.stdout:
            process.stdout.readline()

    def add(self, path: str, passphrase: str) -> bool:
        """Return whether the passphrase unlocks the key."""
        answers = iter([passphrase])
        directory = os.path.join(self._directory, "unlocking")
        os.makedirs(directory, exist_ok=True)
        helper = AskPass(directory, lambda *_: next(answers, None))
        try:
            process = subprocess.Popen(
                ["ssh-add", "-q", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **helper.environment, "SSH_AUTH_SOCK": self.socket},
                start_new_session=True,
            )
            if process.stdout:
                wait_for_output(process.stdout, [helper], PATIENCE, lambda: process.poll() is not None)
            end(process)
            return process.returncode == 0
        finally:
            helper.close()
            os.unlink(os.path.join(directory, "question"))


class LockedKeys:
    """Unlocks keys with passphrases, once for all that we start."""

    def __init__(self, directory: str, console: Console, stack: ExitStack) -> None:
        self._directory = directory
        self._console = console
        self._stack = stack
        self._agent: PrivateAgent | None = None

    def unlock_known(self, hop: Hop) -> None:
        """Unlock keys whose passphrase is known, without a question."""
        for path in self.locked(hop):
            known = hop.credentials.passphrases.get(path)
            if known is None and hop.endpoint.key:
                known = hop.credentials.passphrase
            if known is not None:
                self._unlock(hop, path, known)

    def locked(self, hop: Hop) -> list[str]:
        """Return the key files that need a passphrase, and were not tried with one."""
        keys = hop.settings.keys
        return [path for path in keys if path not in hop.tried_passphrases and is_locked(path)]

    def try_passphrases(self, hop: Hop, path: str) -> bool:
        """Return whether the key is unlocked now. Raises SSHError if the user named it."""
        hop.tried_passphrases.append(path)

        def unlock(passphrase: str) -> None:
            if not self._unlock(hop, path, passphrase):
                raise NeedsPassphrase

        try:
            unlocked(path, hop.credentials, self._console, unlock)
        except SSHError as exc:
            if hop.endpoint.key:
                raise
            hop.unused.append(exc.cause)
            return False
        return True

    def _unlock(self, hop: Hop, path: str, passphrase: str) -> bool:
        self._agent = self._agent or PrivateAgent(self._directory, self._stack)
        is_open = self._agent.add(path, passphrase)
        if is_open:
            hop.agent = self._agent.socket
            hop.tried_passphrases.append(path)
        return is_open


def end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_named_key(path: str, agent: str) -> None:
    """Refuse a key that nobody can log in with: sshd counts failed logins (PerSourcePenalties). Raises SSHError."""
    if not os.path.lexists(path):
        raise NoKey(path)
    if not (public := read_public_key(path)):
        return
    held = query_program(["env", f"SSH_AUTH_SOCK={agent}", "ssh-add", "-L"], PATIENCE)
    if held is None or public.line.encode() not in held.stdout:
        raise unusable_key(path, "is a public key, and the agent does not hold it", Hint("Name the private key"))
