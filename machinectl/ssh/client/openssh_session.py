"""Use the system's ssh for what paramiko lacks, such as an algorithm or a key on a token.

A background ssh logs in (ControlMaster, ssh_config(5)); commands share it. `host_keys` checks host keys: ssh knows
only the pinned key.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.files.ownership import temporary_directory
from machinectl.files.temporary_files import small_file
from machinectl.process_streams import query_program, run_streamed
from machinectl.ssh import framing
from machinectl.ssh.client.session import SSHSession, Transfer, last_line
from machinectl.ssh.client.transport import ALGORITHMS
from machinectl.ssh.keys import known_hosts
from machinectl.ssh.keys.private_keys import CLASSES, certifies
from machinectl.ssh.openssh.ssh_options import (
    COMMANDS_ONLY,
    MEETING,
    WITH_INPUT,
    openssh_command,
    option_words,
    quote_config_path,
)
from machinectl.ssh.ssh_errors import LoginRefused, SSHError, TokenNeeded, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NoReturn

    from machinectl.console import Console
    from machinectl.ssh.destination import SSHEndpoint
    from machinectl.ssh.keys.host_keys import HostKeys
    from machinectl.ssh.keys.known_hosts import HostKey
    from machinectl.ssh.ssh_settings import Settings

# How long the background ssh waits for the next command, in seconds: we may prompt in between. If we are killed, it
# ends after this time.
PERSISTS = 600
# How long a login may take after the connection, in seconds: the user may fetch a token or type a passphrase.
LOGIN_TIMEOUT = 120.0
# Timeout for an ssh that only queries the background ssh, in seconds.
ASK_TIMEOUT = 10.0
# Most output of ssh during the login, with the banner, in bytes; how often to check it, in seconds.
MOST_SAID = 1 << 16
LOOK_SECONDS = 0.05
UNKNOWN_TO_BOTH = re.compile(r"Unable to negotiate|no matching|Protocol major versions differ")
# Options of ssh_config -> `ssh -Q` names.
QUERIES = {"KexAlgorithms": "kex", "Ciphers": "cipher", "MACs": "mac", "HostKeyAlgorithms": "key"}


def connect_by_openssh(
    endpoint: SSHEndpoint,
    settings: Settings,
    host_keys: HostKeys,
    console: Console,
    *,
    instead_of: Unsupported,
    trace: Callable[[str], None] | None = None,
) -> SSHSession:
    """Raises SSHError, or `instead_of` if ssh is missing or lacks the same feature."""
    with ExitStack() as stack:
        directory = stack.enter_context(temporary_directory())
        program = OpenSSH(endpoint, settings, Path(directory), instead_of)
        if isinstance(instead_of, TokenNeeded) and console.interactive:
            console.note(f"The system's ssh logs in at {settings.address}: a token that blinks waits to be touched")
        program.meet(host_keys)
        stack.callback(program.leave)
        program.log_in(host_keys.pinned, asks=console.interactive)
        return SystemSession(
            program=program, settings=settings, stack=stack.pop_all(), known_hosts=host_keys.pinned, trace=trace
        )


def check_openssh_key(
    endpoint: SSHEndpoint, settings: Settings, host_keys: HostKeys, *, instead_of: Unsupported
) -> None:
    """Raises the same errors as `connect`."""
    with temporary_directory() as directory:
        OpenSSH(endpoint, settings, Path(directory), instead_of).meet(host_keys)


def has_openssh() -> bool:
    """Return whether ssh exists and can stay in the background."""
    return os.name == "posix" and shutil.which("ssh") is not None


class OpenSSH:
    """`directory` is private and holds ssh's files."""

    def __init__(self, endpoint: SSHEndpoint, settings: Settings, directory: Path, instead_of: Unsupported) -> None:
        # ssh would check the keys of jump hosts itself.
        if settings.jump or settings.proxy_jump or not has_openssh():
            raise instead_of
        self._endpoint = endpoint
        self._settings = settings
        self._directory = directory
        self._instead_of = instead_of
        self._control = directory / "s"
        # The ssh that logs in; the background ssh is another process.
        self._running: subprocess.Popen[bytes] | None = None

    def meet(self, host_keys: HostKeys) -> None:
        """Check the host's key. Raises HostKeyRefused."""
        demanded = host_keys.demanded()
        key = self._look_for(algorithms(host_keys.known_types(self._settings)))
        for kind in algorithms(CLASSES):
            if not demanded or key.fingerprint == demanded:
                break
            # The host may have another key with the required fingerprint.
            with contextlib.suppress(Unsupported):
                key = self._look(kind)
        certified = host_keys.takes_certificates(self._settings) and any(
            host_keys.is_certified(self._settings, key, certificate) for certificate in self._certificates(key)
        )
        host_keys.check(self._settings, key, certified=certified)

    def _certificates(self, key: HostKey) -> list[bytes]:
        """Return no certificates if ssh-keyscan cannot reach the host."""
        if not self._settings.is_direct:
            return []
        timeout = f"{self._settings.connect_timeout:.0f}"
        command = ["ssh-keyscan", "-c", "-T", timeout, "-p", str(self._settings.port), "--", self._settings.hostname]
        answer = query_program(command, self._settings.connect_timeout + ASK_TIMEOUT)
        said = answer.stdout.decode(errors="replace") if answer else ""
        # A line with a certificate has no host name.
        words = [line.split()[-2:] for line in said.splitlines()]
        shown = [known_hosts.parse_key(*pair) for pair in words if len(pair) == 2]  # noqa: PLR2004 - a type and a key
        return [each.blob for each in shown if each and certifies(each, key)]

    def _look_for(self, kinds: Sequence[str]) -> HostKey:
        """Return a key of a known kind if possible."""
        if kinds:
            with contextlib.suppress(Unsupported):
                return self._look(",".join(kinds))
        return self._look("")

    def _look(self, kinds: str) -> HostKey:
        seen = self._directory / "seen"
        seen.unlink(missing_ok=True)
        options = {**MEETING, "UserKnownHostsFile": quote_config_path(str(seen))}
        if kinds:
            options["HostKeyAlgorithms"] = kinds
        said = self._run([*option_words(options), "true"], self._settings.connect_timeout + ASK_TIMEOUT)
        entries = known_hosts.parse_known_hosts(seen.read_bytes()) if seen.exists() else []
        if not entries:
            self._fail(said)
        return entries[0].key

    def log_in(self, pinned: bytes, *, asks: bool) -> None:
        """Stay in the background. `asks` lets ssh prompt at the terminal."""
        (self._directory / "known_hosts").write_bytes(pinned)
        # After an interrupt, the process may end before this thread.
        atexit.register(self.leave)
        options = {
            "BatchMode": "no" if asks else "yes",
            "ControlMaster": "yes",
            "ControlPath": quote_config_path(str(self._control)),
            "ControlPersist": str(PERSISTS),
            "ServerAliveInterval": f"{self._settings.alive_interval:.0f}",
            "ServerAliveCountMax": str(max(1, self._settings.alive_count)),
        }
        patience = self._settings.connect_timeout + LOGIN_TIMEOUT
        said = self._run([*option_words(options), "-f", "-N"], patience, trusts=True)
        if not self.is_alive():
            self._fail(said)

    def _run(self, arguments: Sequence[str], patience: float, *, trusts: bool = False) -> str:
        """Return up to MOST_SAID bytes of stderr, after at most `patience` seconds."""
        # Other messages of ssh may also explain a failure.
        options = {"ConnectTimeout": f"{self._settings.connect_timeout:.0f}", "LogLevel": "INFO"}
        command = self.command([*option_words(options), *arguments], trusts=trusts)
        # Use a file: the background ssh would keep a pipe open.
        with small_file() as errors:
            try:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            except OSError as exc:
                raise self._instead_of from exc
            self._running = process
            late = (
                ""
                if ends(process, errors.fileno(), patience)
                else f"\nit did not come to an end within {patience:.0f} s"
            )
            errors.seek(0)
            return errors.read(MOST_SAID).decode(errors="replace") + late

    def _fail(self, said: str) -> NoReturn:
        if UNKNOWN_TO_BOTH.search(said):
            raise disabled_algorithm(self._settings, self._instead_of)
        words = one_line(last_line(said.encode()), 200) or "it gives no reason"
        kind = LoginRefused if "ermission denied" in said else SSHError
        raise kind(
            f"{self._instead_of.cause}. The system's ssh cannot log in either: {words}",
            f"Try it: ssh {self._settings.login_options}",
        )

    def command(self, arguments: Sequence[str], *, trusts: bool = True) -> list[str]:
        """Accept only the pinned key if `trusts`."""
        path = str(self._directory / "known_hosts") if trusts else ""
        return openssh_command(self._endpoint, known_hosts=path, arguments=[*option_words(COMMANDS_ONLY), *arguments])

    def login_command(self) -> list[str]:
        """Use only the existing connection, never a new one."""
        options = {
            **WITH_INPUT,
            "ControlMaster": "no",
            "ControlPath": quote_config_path(str(self._control)),
            "ProxyCommand": "false",
        }
        return self.command([*option_words(options), "-T", framing.LOGIN_COMMAND])

    def is_alive(self) -> bool:
        return self._ask("check")

    def leave(self) -> None:
        """End both ssh processes."""
        atexit.unregister(self.leave)
        if self._running and self._running.poll() is None:
            self._running.kill()
        self._ask("exit")

    def _ask(self, what: str) -> bool:
        """Return whether the background ssh confirms a command."""
        command = self.command([*option_words({"ControlPath": quote_config_path(str(self._control))}), "-O", what])
        answer = query_program(command, ASK_TIMEOUT)
        return answer is not None and answer.returncode == 0


@dataclass(kw_only=True, eq=False, repr=False)
class SystemSession(SSHSession):
    program: OpenSSH

    def _transfer(self, given: Transfer) -> int | None:
        end = given.end
        ending = (lambda _: end()) if end else None
        command, take = self.program.login_command(), given.output.take
        return run_streamed(command, take, given.stop, stdin=given.stdin, end=ending, timeout=given.timeout)

    def _is_alive(self) -> bool:
        return self.program.is_alive()


def disabled_algorithm(settings: Settings, instead_of: Unsupported) -> Unsupported:
    """Return an error that shows how to enable an algorithm that the system's ssh leaves off."""
    query = QUERIES.get(instead_of.keyword)
    answer = query_program(["ssh", "-Q", query], ASK_TIMEOUT) if query else None
    known = answer.stdout.decode(errors="replace").split() if answer else []
    usable = next((name for name in instead_of.offered if name in known), "")
    if not usable:
        return instead_of
    lines = f"Host {settings.host}\\n  {instead_of.keyword} +{usable}\\n"
    return Unsupported(
        f"{instead_of.cause}. The system's ssh knows {usable}, but does not use it by default",
        f"Update the host's OpenSSH, or let the system's ssh use it: printf '{lines}' >> ~/.ssh/config",
    )


def ends(process: subprocess.Popen[bytes], errors: int, patience: float) -> bool:
    """Return False, and kill the process, after `patience` seconds or too much stderr."""
    end = time.monotonic() + patience
    try:
        while process.poll() is None:
            if time.monotonic() > end or os.fstat(errors).st_size > MOST_SAID:
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
        return True
    finally:
        process.kill()
        process.wait()


def algorithms(types: Iterable[str]) -> list[str]:
    """Return lists of algorithms, one for each known type of a host key."""
    return [",".join(ALGORITHMS.get(kind, (kind,))) for kind in types if kind in CLASSES]
