"""The logins on the way to a host, jump hosts first: each has its own key check, log and questions.

A passphrase unlocks a key once: an ssh-agent of our own holds it for every ssh that we start.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import read_file
from machinectl.ssh.destination import PIN, Jump, ssh_command
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.keys.private_keys import NeedsPassphrase, is_locked, unlocked
from machinectl.ssh.openssh.askpass import Answers, AskPass, wait_for_output
from machinectl.ssh.openssh.login_log import LoginLog, read_log
from machinectl.ssh.openssh.ssh_options import (
    COMMANDS_ONLY,
    aside_files,
    identity_options,
    option_words,
    quote_config_path,
)
from machinectl.ssh.ssh_errors import SSHError
from machinectl.ssh.ssh_settings import jump_targets, read_settings
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from machinectl.console import Console
    from machinectl.ssh.destination import Settings, SSHEndpoint
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.session import SSHLogin

# OpenSSH has no limit for ProxyJump; a chain longer than this is a loop.
LONGEST_CHAIN = 8
# It ends with its pipe, so also if we are killed.
GUARD = 'echo; read end; kill "$SSH_AGENT_PID"'
# How long ssh-agent and ssh-add may take, in seconds: some keys take long to unlock.
PATIENCE = 60.0


@dataclass(eq=False)
class Hop:
    """`host_keys` may belong to the host behind it (`is_aside`): a jump host that is no machine is pinned there."""

    endpoint: SSHEndpoint
    settings: Settings
    host_keys: HostKeys
    credentials: Credentials
    answers: Answers
    askpass: AskPass
    directory: Path
    is_jump: bool = False
    is_aside: bool = False
    # The socket of our agent, if a key had to be unlocked.
    agent: str = ""
    # Whether ssh may ask questions; else it tries only keys that need none.
    asks: bool = False
    # Whether its key was looked at, and keys that were of no use, each with the reason.
    is_met: bool = False
    unused: list[str] = field(default_factory=list)
    tried_passphrases: list[str] = field(default_factory=list)

    @property
    def log(self) -> LoginLog:
        return read_log(str(self.directory / "log"))

    @property
    def is_pinned(self) -> bool:
        return self.host_keys.has_pin(self.settings, jump=self.is_aside)

    def options(self) -> list[str]:
        """Return ssh's options for a login that trusts only known keys."""
        pins = self.directory / "known_hosts"
        pins.write_bytes(self.host_keys.pinned)
        trust = identity_options(self.endpoint.key, "" if self.is_aside else str(pins))
        if self.is_aside:
            files = aside_files(self.settings, str(pins)) or os.devnull
            trust += [("StrictHostKeyChecking", "yes"), ("UpdateHostKeys", "no"), ("GlobalKnownHostsFile", files)]
        asking = [
            ("BatchMode", "no" if self.asks else "yes"),
            ("NumberOfPasswordPrompts", "1" if self.answers.password else "3"),
        ]
        agent = [("IdentityAgent", quote_config_path(self.agent))] if self.agent else []
        return option_words([*asking, *agent, *trust])

    def look_options(self, trust: Mapping[str, str]) -> list[str]:
        """Return ssh's options for a look at the key, without a login."""
        return option_words({**COMMANDS_ONLY, "BatchMode": "yes", "ControlPath": "none", **trust})

    def command(self, proxy: str, options: Sequence[str], arguments: Sequence[str] = ()) -> list[str]:
        """`proxy` is the ProxyCommand that leads here, "" for the user's own."""
        own = {"LogLevel": "DEBUG1", "ConnectTimeout": f"{max(1, self.settings.connect_timeout):.0f}"}
        own |= {"ProxyCommand": proxy} if proxy else {}
        words, end = ["-E", str(self.directory / "log"), *option_words(own), *options], self.endpoint
        return ssh_command(end.host, words, user=end.user, port=end.port, arguments=arguments)


@dataclass(frozen=True)
class Route:
    """`proxy` is the user's ProxyCommand to the first hop, which asks by a socket of its own."""

    hops: list[Hop]
    proxy: str
    asking: list[AskPass]

    def command(self, index: int, options: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """Return ssh's command line for a login at one of the hops, through those before it."""
        proxy = self.proxy
        for hop in self.hops[:index]:
            words = [*environment_words(hop.askpass), *hop.command(proxy, [*hop.options(), "-o", "ControlPath=none"])]
            proxy = f"{proxy_words(words)} -W '[%h]:%p'"
        return self.hops[index].command(proxy, options, arguments)


def route_to(login: SSHLogin, directory: Path) -> Route:
    """Make sockets in the private `directory`. Raises SSHError for jump hosts that form a loop."""
    console, host_keys, settings = login.console, login.host_keys, login.settings
    hops: list[Hop] = []
    asking: list[AskPass] = []

    def ask_by(name: str, answers: Answers) -> AskPass:
        (directory / name).mkdir()
        asking.append(AskPass(str(directory / name), answers))
        login.stack.callback(asking[-1].close)
        return asking[-1]

    def add(end: SSHEndpoint, chosen: Settings, keys: HostKeys, *, is_aside: bool) -> None:
        is_jump = bool(hops)
        name = str(len(hops))
        given = login.credentials.for_jump() if is_jump else login.credentials
        # The names that ssh may give the login in its questions.
        named = dict.fromkeys([PIN, chosen.host_key_alias, chosen.host, chosen.hostname])
        logins = [f"{chosen.user}@{alias}" for alias in named if alias]
        answers = Answers(console, chosen.login, logins, given.password)
        hop = Hop(end, chosen, keys, given, answers, ask_by(name, answers), directory / name, is_jump, is_aside)
        hops.insert(0, hop)

    add(login.endpoint, settings, host_keys, is_aside=False)
    jump = jump_before(settings)
    while jump:
        if len(hops) > LONGEST_CHAIN:
            raise SSHError(f"The jump hosts of {settings.host} form a loop", Hint("See", "ssh -G", settings.host))
        chosen = read_settings(jump.endpoint)
        keys = host_keys
        if jump.machine:
            keys = HostKeys(HostKeyPolicy(read_file(jump.known_hosts), machine=jump.machine), console)
        add(jump.endpoint, chosen, keys, is_aside=not jump.machine)
        jump = jump_before(chosen)
    proxy = hops[0].settings.proxy_command
    if proxy:
        # It must not ask for the host's password.
        words = environment_words(
            ask_by("proxy", Answers(console, f"ProxyCommand of {hops[0].settings.login}", (), None))
        )
        proxy = proxy_words([*words, "/bin/sh", "-c", proxy])
    return Route(hops, proxy, asking)


def jump_before(settings: Settings) -> Jump | None:
    """Return the jump host before a host: ours, else the user's ProxyJump, as ssh itself takes it."""
    if settings.jump or not settings.proxy_jump:
        return settings.jump
    jump = None
    for target in jump_targets(settings.proxy_jump):
        jump = Jump(replace(target, jump=jump))
    return jump


def environment_words(asking: AskPass) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in asking.environment.items())]


def proxy_words(words: Iterable[str]) -> str:
    """Quote a ProxyCommand for its shell; ssh expands its %-tokens."""
    return " ".join(shlex.quote(word.replace("%", "%%")) for word in words)


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
