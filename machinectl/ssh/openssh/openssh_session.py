"""Log in with the system's ssh, and run commands over that connection.

One ssh in the background logs in (ControlMaster, ssh_config(5)); it ends with this process, even after kill -9.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.errors import Hint, one_line
from machinectl.files.spool_directory import temporary_directory
from machinectl.ssh.keys import known_hosts
from machinectl.ssh.keys.host_keys import find_known, if_right, revoked_key
from machinectl.ssh.openssh.askpass import Visit, wait_for_output
from machinectl.ssh.openssh.hops import Hop, LockedKeys, route_to
from machinectl.ssh.openssh.login_log import connection_error, login_refusal
from machinectl.ssh.openssh.master import Master, end_group
from machinectl.ssh.openssh.ssh_options import BACKGROUND, MEETING, READY, SHELL, option_words, quote_config_path
from machinectl.ssh.session import SSHLogin, SSHSession
from machinectl.ssh.ssh_errors import (
    PASSWORD_METHODS,
    ConnectionLost,
    HostKeyRefused,
    NoKey,
    SSHError,
    Unsupported,
    advise_on_jump_host,
    not_forwarded,
    see_ssh,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.openssh.login_log import LoginLog
    from machinectl.ssh.session import Transfer

# A host may have ssh write to its log, or to stderr, without end; in blocks of 512 bytes.
# It ends with its stdin, a pipe of ours: also if we are killed before the login.
GUARDED = 'ulimit -f 32768; exec 3<&0; { read end <&3; kill $$; } >/dev/null 2>&1 & exec "$0" "$@"'
LIMITED = ["/bin/sh", "-c", GUARDED]
# How long a login may take after the connection, in seconds: the host may ask a directory server.
LOGIN_SECONDS = 60.0
# Time for a login at a jump host, and for the start of ssh.
JUMP_SECONDS, SPARE_SECONDS = 15.0, 1.0
# Most of a banner to read, in bytes.
MOST_SAID = 1 << 12


@dataclass(eq=False)
class OpenSSHLogin(SSHLogin):
    """Tries to log in until it works or nobody can help."""

    def __post_init__(self) -> None:
        self.directory = Path(self.stack.enter_context(temporary_directory()))
        self.route = route_to(self, self.directory)
        self._banner = self.stack.enter_context((self.directory / "banner").open("w+b"))
        self._keys = LockedKeys(str(self.directory), self.console, self.stack)

    @property
    def host(self) -> Hop:
        return self.route.hops[-1]

    def log_in(self) -> SystemSession:
        if self.endpoint.key and not os.path.lexists(self.endpoint.key):
            raise NoKey(self.endpoint.key)
        host = self.host
        for hop in self.route.hops:
            self._keys.unlock_known(hop)
            hop.asks = not self._keys.locked(hop) and can_answer(self.console, hop)
        self._meet_unpinned(host)
        control = self.directory / "s"
        alive = {
            "ControlPath": quote_config_path(str(control)),
            "ServerAliveInterval": f"{max(1, host.settings.alive_interval):.0f}",
            "ServerAliveCountMax": str(max(1, host.settings.alive_count)),
        }
        options = option_words({**BACKGROUND, "SessionType": "none", **alive})
        while True:
            process, line = self._start(host, [*options, *host.options()], ["-N", "-T"])
            if line == READY:
                break
            end_group(process)
            self._go_on(host, is_late=line is None)
        if host.answers.typed and host.log.by_password:
            host.credentials.password = host.answers.typed
        master = Master(process, str(control), str(host.directory / "log"), host.settings, self.stack)
        return SystemSession(master=master, settings=host.settings, stack=self.stack, known_hosts=self.host_keys.pinned)

    def check_key(self) -> None:
        if not self._meet_unpinned(self.host):
            options = self.host.look_options({"PreferredAuthentications": "none"})
            self._look(self.host, [*options, *self.host.options()])

    def _meet_unpinned(self, host: Hop) -> bool:
        is_new = not host.is_pinned or bool(host.host_keys.demanded())
        if is_new:
            self._meet(host)
        return is_new

    def _start(
        self, hop: Hop, options: Sequence[str], arguments: Sequence[str], *visits: Visit
    ) -> tuple[subprocess.Popen[bytes], bytes | None]:
        """Start ssh, answer its questions, and return its first line: b"" if it ends, None if it is late."""
        index = self.route.hops.index(hop)
        hops = self.route.hops[: index + 1]
        command = [*LIMITED, *self.route.command(index, options, arguments)]
        for each in hops:
            (each.directory / "log").unlink(missing_ok=True)
        self._banner.seek(0)
        self._banner.truncate()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._banner,
                env={**os.environ, **SHELL, **hop.askpass.environment},
                # ^C must reach only this process, and ssh must not ask at the terminal.
                start_new_session=True,
            )
        except OSError as exc:
            raise SSHError(f"ssh cannot be started: {exc.strerror}", Hint("Try", "ssh -V")) from exc
        handshake = sum(each.settings.connect_timeout for each in hops) + JUMP_SECONDS * index + SPARE_SECONDS
        try:
            line = self._wait(process, handshake, visits)
            if line is None and hop.log.fingerprint:
                line = self._wait(process, LOGIN_SECONDS, visits)
        except BaseException:
            end_group(process)
            raise
        return process, line

    def _wait(self, process: subprocess.Popen[bytes], seconds: float, visits: Sequence[Visit]) -> bytes | None:
        stream = process.stdout
        assert stream  # noqa: S101 - it is a pipe
        line = wait_for_output(stream, [*self.route.asking, *visits], seconds, lambda: process.poll() is not None)
        return b"" if line is None and process.poll() is not None else line

    def _look(self, hop: Hop, options: Sequence[str]) -> None:
        """Have the host show its key. Raises SSHError if it shows none."""
        while True:
            process, line = self._start(hop, options, ["true"])
            end_group(process)
            if hop.log.is_key_proved:
                return
            self._go_on(hop, is_late=line is None, looks=True)

    def _meet(self, hop: Hop) -> None:
        """Check a key that is not pinned, or has changed, and pin it. Raises HostKeyRefused."""
        hop.is_met = True
        settings, demanded, vouched = hop.settings, hop.host_keys.demanded(jump=hop.is_aside), None
        if not demanded and not hop.host_keys.expected(settings, jump=hop.is_aside):
            # More than plain lines of known_hosts may decide about an unknown key.
            own = settings.known_hosts_command or settings.revoked_host_keys
            if own or any(entry.marker for entry in find_known(settings)):
                vouched = self._vouched_key(hop)
        key = vouched or self._key_to_check(hop, demanded)
        hop.host_keys.check(settings, key, jump=hop.is_aside, certified=vouched is not None)

    def _key_to_check(self, hop: Hop, demanded: str) -> HostKey:
        """Return a key of a known type, or with the required fingerprint, if the host has one."""
        known = known_hosts.key_algorithms(hop.host_keys.known_types(hop.settings, jump=hop.is_aside))
        keys = []
        for kinds in ["", *known_hosts.KEY_KINDS] if demanded else dict.fromkeys([known, ""]):
            with contextlib.suppress(*([Unsupported] if kinds else [])):
                keys.append(self._shown_key(hop, kinds))
                if not demanded or keys[-1].fingerprint == demanded:
                    return keys[-1]
        return keys[0]

    def _shown_key(self, hop: Hop, kinds: str = "") -> HostKey:
        """Return the key that the host shows, whoever knows it."""
        seen = hop.directory / "seen"
        options = {**MEETING, "UserKnownHostsFile": quote_config_path(str(seen))}
        if kinds:
            options["HostKeyAlgorithms"] = kinds
        seen.unlink(missing_ok=True)
        self._look(hop, hop.look_options({**options, "PreferredAuthentications": "none"}))
        entries = known_hosts.parse_known_hosts(seen.read_bytes()) if seen.exists() else []
        if not entries:
            raise SSHError(f"{hop.settings.address} shows no key that could be pinned", see_ssh(hop.settings))
        return entries[0].key

    def _vouched_key(self, hop: Hop) -> HostKey | None:
        """Return the key that ssh trusts by the user's certificates or KnownHostsCommand. Raises HostKeyRefused.

        A server can write to ssh's log, and so cannot vouch by that: ssh visits an agent only after it has accepted a
        key, and names that key in the log, whatever else is there.
        """
        while True:
            with Visit(str(hop.directory / "visit")) as visit:
                process, line = self._start(hop, hop.look_options(visit.options), ["true"], visit)
                end_group(process)
            log, address = hop.log, hop.settings.address
            kind = log.key_type.partition("-cert-")[0]
            if visit.is_made:
                key = self._shown_key(hop, known_hosts.key_algorithms([kind]))
                return key if set(log.fingerprints) == {key.fingerprint} else None
            refuse_key(hop, log, is_changed=log.is_key_changed)
            if log.is_key_unknown or log.is_key_proved:
                break
            self._go_on(hop, is_late=line is None, looks=True)
        if hop.settings.known_hosts_command and not self.console.interactive:
            raise HostKeyRefused(
                f"KnownHostsCommand of your SSH configuration names no key of {address}, which shows {log.fingerprint}",
                if_right(log.fingerprint),
            )
        return None

    def _go_on(self, target: Hop, *, is_late: bool, looks: bool = False) -> None:
        """Change what made ssh fail, so that it can be tried again. Raises SSHError."""
        hops = self.route.hops[: self.route.hops.index(target) + 1]
        for hop, following in zip(hops, [*hops[1:], None], strict=True):
            log = hop.log
            if following and log.unforwarded:
                is_forbidden = "prohibited" in log.unforwarded
                raise not_forwarded(following.settings, hop.settings.address, is_forbidden=is_forbidden)
            if following and log.is_logged_in:
                continue
            try:
                self._help(hop, log, is_late=is_late, looks=looks and hop is target)
            except SSHError as exc:
                if hop.is_jump:
                    advise_on_jump_host(exc, hop.settings, "" if hop.is_aside else hop.host_keys.machine)
                raise
            return

    def _help(self, hop: Hop, log: LoginLog, *, is_late: bool, looks: bool) -> None:
        is_unknown = log.is_key_unknown or log.is_key_changed
        is_known = log.is_key_changed or hop.is_met or bool(hop.host_keys.expected(hop.settings, jump=hop.is_aside))
        refuse_key(hop, log, is_changed=is_unknown and is_known)
        if is_unknown:
            self._meet(hop)
        elif log.is_denied and not looks:
            self._help_denied(hop, log)
        else:
            self._banner.seek(0)
            said = self._banner.read(MOST_SAID).decode(errors="replace")
            raise connection_error(hop.settings, log, said, hop.answers.tried, is_late=is_late)

    def _help_denied(self, hop: Hop, log: LoginLog) -> None:
        offered = log.offered
        for path in self._keys.locked(hop):
            if (path == log.accepted or path not in offered) and self._keys.try_passphrases(hop, path):
                return
        if not hop.asks and can_answer(self.console, hop) and set(PASSWORD_METHODS) & set(log.methods):
            hop.asks = True
            return
        raise login_refusal(hop.settings, log, hop.answers.tried, hop.unused)


def can_answer(console: Console, hop: Hop) -> bool:
    return console.interactive or hop.answers.password is not None


def refuse_key(hop: Hop, log: LoginLog, *, is_changed: bool) -> None:
    """Raise HostKeyRefused for a key that ssh calls revoked, or another one than expected."""
    if log.revoked is not None:
        raise revoked_key(hop.settings, log.fingerprint, log.revoked and f"revoked: {one_line(log.revoked)}")
    if is_changed:
        kind = log.key_type.partition("-cert-")[0]
        raise hop.host_keys.changed(hop.settings, kind, log.fingerprint, jump=hop.is_aside)


@dataclass(kw_only=True, eq=False, repr=False)
class SystemSession(SSHSession):
    master: Master

    @property
    def control(self) -> str:
        return self.master.control

    def transfer(self, given: Transfer) -> int | None:
        return self.master.run(given)

    def _is_alive(self) -> bool:
        return self.master.is_alive

    def _lost(self, why: str = "") -> ConnectionLost:
        return super()._lost(why or ("no sign of life" if self.master.log.is_silent else "it was closed"))


def system_master(session: SSHSession) -> Master:
    """Return the connection of a session over the system's ssh. Raises Unsupported."""
    if isinstance(session, SystemSession):
        return session.master
    raise Unsupported(
        "This needs a login by the system's ssh", Hint("Install the OpenSSH client, and leave out --native-ssh")
    )
