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
    from collections.abc import Mapping
    from contextlib import ExitStack

    from machinectl.console import Console
    from machinectl.ssh.openssh.hops import Hop

# It ends with its pipe, so also if we are killed.
GUARD = 'echo; read end; kill "$SSH_AGENT_PID"'
# How long ssh-agent and ssh-add may take, in seconds: some keys take long to unlock.
PATIENCE = 60.0


class LockedKeys:
    """Unlocks keys with passphrases, once for all that we start: an agent in the private `directory` holds them."""

    def __init__(self, directory: str, console: Console, stack: ExitStack) -> None:
        self._directory = directory
        self._console = console
        self._stack = stack
        self._socket = ""

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
        """Return whether the passphrase unlocks the key. Raises MachineError without an ssh-agent."""
        if not self._socket:
            self._socket = os.path.join(self._directory, "agent")
            agent = start(["ssh-agent", "-a", self._socket, "/bin/sh", "-c", GUARD], stdin=subprocess.PIPE)
            self._stack.callback(end, agent)
            agent.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        answers = iter([passphrase])
        directory = os.path.join(self._directory, "unlocking")
        os.makedirs(directory, exist_ok=True)
        helper = AskPass(directory, lambda *_: next(answers, None))
        try:
            environment = {**os.environ, **helper.environment, "SSH_AUTH_SOCK": self._socket}
            adding = start(["ssh-add", "-q", path], environment)
            wait_for_output(adding.stdout, [helper], PATIENCE, lambda: adding.poll() is not None)  # type: ignore[arg-type]
            end(adding)
        finally:
            helper.close()
            os.unlink(os.path.join(directory, "question"))
        if adding.returncode != 0:
            return False
        hop.agent = self._socket
        hop.tried_passphrases.append(path)
        return True


def start(
    command: list[str], environment: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        return subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=null, env=environment, start_new_session=True)
    except OSError as exc:
        raise MachineError(
            f"{command[0]} cannot be started: {exc.strerror}", Hint("Install the OpenSSH client")
        ) from exc


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
