"""Read how a login went from ssh's own log (`ssh -E`): a server's banner or a command cannot write to it.

A server can: ssh logs what it says of its end, line breaks included. Read here why a login failed, never whom to trust.
"""

from __future__ import annotations

import errno
import os
import re

from machinectl.errors import Hint, one_line
from machinectl.ssh import ssh_errors
from machinectl.ssh.ssh_errors import LoginRefused, NotForwarded, SSHError, Unsupported
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.destination import Settings

# Longest log to read, in bytes.
LONGEST_LOG = 1 << 24
# How ssh begins to pass on a server's words.
SPOKEN = r"^(?:debug1: Remote: |Received disconnect from |Unable to negotiate with )"


class Shows:
    """Whether a line of a log matches a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get__(self, log: LoginLog, _: type[LoginLog]) -> bool:
        return log.find(self._pattern) is not None


class Says:
    """The first group of the first line that matches a pattern, None if none does."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get__(self, log: LoginLog, _: type[LoginLog]) -> str | None:
        found = log.find(self._pattern)
        return found and found[1]


class LoginLog(Frozen):
    """The log of one ssh with LogLevel DEBUG1 or INFO, from OpenSSH 7.4 on."""

    text: str

    # Why the host's name does not resolve.
    unresolved = Says(r"^\S+: Could not resolve hostname .*: (.+)$")
    is_late = Shows(r"^(?:Connection timed out during banner exchange|Connection to .+ timed out)")
    has_greeting = Shows(r"^debug1: Remote protocol version ")
    is_key_changed = Shows(r"^@ +WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! +@$")
    is_key_unknown = Shows(r"^No \S+ host key is known for .* and you have requested strict checking\.$")
    is_logged_in = Shows(r"^(?:debug1: )?(?:Authenticated to |Authentication succeeded )")
    by_password = Shows(r'^Authenticated to .* using "password"\.$')
    is_denied = Shows(r"^(?:\S+@\S+: )?Permission denied \(")
    is_silent = Shows(r"^Timeout, server .* not responding\.")
    # Why a jump host does not lead on.
    unforwarded = Says(r"^channel \d+: open failed: (.*)$")

    def find(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.text, re.MULTILINE)

    def all(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.text, re.MULTILINE)

    @property
    def own(self) -> LoginLog:
        """Return what ssh wrote before the server could write to it."""
        spoken = self.find(SPOKEN)
        return LoginLog(self.text[: spoken.start()] if spoken else self.text)

    @property
    def unconnected(self) -> tuple[str, int, str] | None:
        """Return where no TCP connection was made, and why."""
        found = self.find(r"^ssh: connect to (?:host|address) (\S+) port (\d+): (.+)$")
        return (found[1], int(found[2]), found[3]) if found else None

    @property
    def first_line(self) -> str | None:
        """Return what the server said before a greeting, or instead of one."""
        found = self.find(
            r"^(?:debug1: (?:kex|ssh)_exchange_identification: (?:banner line \d+: )?|"
            r"Bad remote protocol version identification: )(.*)$"
        )
        return found[1].strip("'") if found else None

    @property
    def key_type(self) -> str:
        """Return the type of the key, or certificate, that the server has shown."""
        found = self.own.find(r"^debug1: Server host (?:key|certificate): ([\w@.-]+) SHA256:")
        return found[1] if found else ""

    @property
    def fingerprint(self) -> str:
        return next(iter(self.own.fingerprints), "")

    @property
    def fingerprints(self) -> list[str]:
        return self.all(r"^debug1: Server host (?:key|certificate): \S+ (SHA256:[A-Za-z0-9+/]+)")

    @property
    def is_key_proved(self) -> bool:
        """Return whether the host has the key that it showed."""
        return bool(self.own.find(r"^debug1: (?:SSH2_MSG_SERVICE_ACCEPT received|Authentications that can continue: )"))

    @property
    def revoked(self) -> str | None:
        """Return why ssh calls the key revoked: "" if a line of known_hosts does."""
        if self.find(r"^@ +WARNING: REVOKED HOST KEY DETECTED! +@$"):
            return ""
        found = self.find(
            r"^(?:Host key .* (revoked by file .*)|Error checking host key .* in revoked keys file (.*))$"
        )
        return (found[1] or f"unreadable file {found[2]}") if found else None

    @property
    def methods(self) -> list[str]:
        """Return the methods that the server accepts, by its last answer."""
        answers = self.all(r"^debug1: Authentications that can continue: (.*)$")
        return [method for method in answers[-1].split(",") if method] if answers else []

    @property
    def offered(self) -> list[str]:
        """Return the keys that were tried: paths, and an agent's comments."""
        found = self.all(r"^debug1: Offering (?:\S+ )?public key: (.*)$")
        return list(dict.fromkeys(map(key_label, found)))

    @property
    def accepted(self) -> str:
        """Return the last key that the server has accepted, "" if none."""
        before, _, _ = self.text.rpartition("\ndebug1: Server accepts key: ")
        return LoginLog(before).offered[-1] if before else ""

    @property
    def closed(self) -> str | None:
        """Return how the server ended the connection."""
        found = self.find(
            r"^(?:(?:kex|ssh)_exchange_identification: )?(?:read: )?"
            r"(?:(Connection (?:closed|reset)) by |Received disconnect from [^:]+:\d+: ?(.*)$)"
        )
        return (found[2] or found[1]) if found else None

    @property
    def last_line(self) -> str:
        """Return ssh's last message."""
        lines = [line for line in self.text.splitlines() if line.strip() and not line.startswith("debug")]
        return lines[-1].strip() if lines else ""


def key_label(line: str) -> str:
    """Cut off what ssh adds to a key's path or comment."""
    found = re.fullmatch(r"(.*?)(?: [A-Z0-9-]+ SHA256:\S+.*)?", line)
    return found[1] if found else line


def read_logs(path: str, suffix: str) -> LoginLog:
    """Return the logs of all on the way, the first jump host's first."""
    paths = [path]
    while os.path.exists(paths[0] + suffix):
        paths.insert(0, paths[0] + suffix)
    return LoginLog("".join(read_log(each).text for each in paths))


def read_log(path: str) -> LoginLog:
    try:
        with open(path, "rb") as file:
            return LoginLog(file.read(LONGEST_LOG).decode(errors="replace").replace("\r\n", "\n"))
    except OSError:
        return LoginLog("")


# Keys that ssh could not use, each with the reason.
UNUSABLE = r'^(?:Load key|sign_and_send_pubkey: signing failed for \S+) "(.+)"(?: from agent)?: (.+)$'
ERRNOS = {os.strerror(number): number for number in (errno.ECONNREFUSED, errno.ETIMEDOUT, *ssh_errors.UNREACHABLE)}


def login_refusal(settings: Settings, log: LoginLog, answers: Sequence[str], unused: Sequence[str]) -> LoginRefused:
    """`answers` were tried beside keys; `unused` are keys, each with the reason."""
    unused = [*(f"{key[0]} ({key[1]})" for key in log.all(UNUSABLE)), *unused]
    return ssh_errors.login_refused(settings, [*log.offered, *answers], unused, log.methods)


def connection_error(
    settings: Settings, log: LoginLog, said: str, answers: Sequence[str], *, is_late: bool
) -> SSHError:
    """Say why there was no login, and no refusal either."""
    if error := unconnected_error(settings, log, said):
        return error
    why = one_line(log.last_line)
    if log.find(r"^Unable to negotiate with "):
        hint = Hint("Update OpenSSH, on the host or here") | Hint("or see https://www.openssh.com/legacy.html")
        return Unsupported(f"{ssh_errors.place(settings)} is incompatible with our SSH: {why}", hint)
    if not log.has_greeting:
        return ssh_errors.greeting_error(settings, log.first_line, is_late=is_late or log.is_late)
    if log.closed is not None and log.is_key_proved:
        return ssh_errors.cut_off(settings, [*log.offered, *answers], said)
    return ssh_errors.login_error(settings, "" if is_late or log.is_late else log.closed or why or "it was closed")


def unconnected_error(settings: Settings, log: LoginLog, said: str) -> SSHError | None:
    if log.unresolved:
        return ssh_errors.unresolved(settings, log.unresolved)
    if log.unconnected:
        why = log.unconnected[2]
        failure = OSError(ERRNOS[why], why) if why in ERRNOS else OSError(why)
        error = ssh_errors.connect_error(settings, failure)
        error.__cause__ = failure
        return error
    last = one_line("".join(said.strip().splitlines()[-1:]))
    if settings.proxy_command and not log.has_greeting:
        what = f"The ProxyCommand does not lead to {ssh_errors.place(settings)}{last and f': {last}'}"
        return NotForwarded(what, Hint("Try it", settings.proxy_command))
    if log.find(r"^debug1: (?:Connecting to|Executing proxy command)"):
        return None
    cause = f"ssh cannot connect to {settings.address}: {one_line(log.last_line) or last}"
    return SSHError(cause, ssh_errors.see_ssh(settings))


def connection_failure(settings: Settings, log: LoginLog) -> SSHError | None:
    """Explain the log of an ssh that somebody else uses, with LogLevel INFO; None if there was a connection."""
    if log.unconnected:
        # It may be a jump host.
        hostname, port, _ = log.unconnected
        settings = replace(settings, hostname=hostname, port=port)
    if log.unresolved or log.unconnected:
        return unconnected_error(settings, log, "")
    if not (log.is_late or log.find(r"^(?:kex|ssh)_exchange_identification: ")):
        return None
    jump = settings.proxy_jump or (settings.jump and (settings.jump.machine or settings.jump.endpoint.host))
    if jump:
        # ssh itself knows only that nothing comes through.
        late = f" within {settings.connect_timeout:.0f} s" if log.is_late else ""
        return NotForwarded(
            f"The jump host {jump} did not lead to {ssh_errors.place(settings)}{late}",
            Hint("See why", f"ssh -v {settings.login_options} true"),
        )
    return ssh_errors.greeting_error(settings, log.first_line, is_late=log.is_late)
