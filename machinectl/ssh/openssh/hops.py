"""The logins on the way to a host, jump hosts first: each has its own key check, log and questions."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.files.atomic import read_file
from machinectl.ssh.destination import PIN, Jump, ssh_command
from machinectl.ssh.keys.host_keys import HostKeyPolicy, HostKeys
from machinectl.ssh.openssh.askpass import Answers, AskPass
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
    from pathlib import Path

    from machinectl.ssh.destination import Settings, SSHEndpoint
    from machinectl.ssh.keys.credentials import Credentials
    from machinectl.ssh.session import SSHLogin

# OpenSSH has no limit for ProxyJump; a chain longer than this is a loop.
LONGEST_CHAIN = 8


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
        return option_words(
            [
                ("BatchMode", "no" if self.asks else "yes"),
                ("NumberOfPasswordPrompts", "1" if self.answers.password else "3"),
                *([("IdentityAgent", quote_config_path(self.agent))] if self.agent else []),
                *self._trust(),
            ]
        )

    def look_options(self, trust: Mapping[str, str]) -> list[str]:
        """Return ssh's options for a look at the key, without a login."""
        return option_words({**COMMANDS_ONLY, "BatchMode": "yes", "ControlPath": "none", **trust})

    def _trust(self) -> list[tuple[str, str]]:
        pins = self.directory / "known_hosts"
        pins.write_bytes(self.host_keys.pinned)
        if not self.is_aside:
            return identity_options(self.endpoint.key, str(pins))
        return [
            *identity_options(self.endpoint.key, ""),
            ("StrictHostKeyChecking", "yes"),
            ("UpdateHostKeys", "no"),
            ("GlobalKnownHostsFile", aside_files(self.settings, str(pins)) or os.devnull),
        ]

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
