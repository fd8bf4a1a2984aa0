"""Say why a login by the system's ssh failed, from its own log."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from machinectl.errors import Hint, one_line
from machinectl.process_streams import query_program
from machinectl.ssh import connection_failures
from machinectl.ssh.ssh_errors import HostKeyRefused, LoginRefused, NotForwarded, SSHError, Unsupported
from machinectl.value_classes import replace

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.ssh.openssh.hops import Hop
    from machinectl.ssh.openssh.login_log import LoginLog
    from machinectl.ssh.ssh_settings import Settings

# Keys that ssh could not use, each with the reason.
UNUSABLE = r'^(?:Load key|sign_and_send_pubkey: signing failed for \S+) "(.+)"(?: from agent)?: (.+)$'
# ssh says this of a file that holds none.
NOT_A_KEY = {"invalid format", "error in libcrypto"}
# Kinds of algorithms, as ssh names them -> options of ssh_config and `ssh -Q` names.
KINDS = {
    "key exchange method": ("KexAlgorithms", "kex"),
    "host key type": ("HostKeyAlgorithms", "key"),
    "cipher": ("Ciphers", "cipher"),
    "MAC": ("MACs", "mac"),
}
# Seconds for `ssh -Q`, and the longest quote of what a host offers, in characters.
ASK_TIMEOUT, LONGEST_OFFER = 10.0, 300
ERRNOS = {
    os.strerror(number): number for number in (errno.ECONNREFUSED, errno.ETIMEDOUT, *connection_failures.UNREACHABLE)
}


def login_refusal(hop: Hop, log: LoginLog, console: Console) -> LoginRefused:
    settings, answers = hop.settings, hop.answers
    unused = [*(unusable_key(*each) for each in log.all(UNUSABLE)), *hop.unused]
    if connection_failures.NEW_PASSWORD.search(f"{log.text} {' '.join(answers.asked)}"):
        return LoginRefused(*connection_failures.new_password(settings))
    if log.is_partial and log.accepted:
        question = answers.asked[-1].partition(") ")[2] if answers.asked else ""
        asks = console.interactive
        return connection_failures.wants_more(settings, log.accepted, log.methods, question, asks=asks)
    return connection_failures.login_refused(settings, [*log.offered, *answers.tried], unused, log.methods)


def unusable_key(path: str, why: str) -> str:
    if why in NOT_A_KEY:
        return f"The key {path} is not a private key"
    return f"{path} (make it private: chmod 600)" if why == "bad permissions" else f"{path} ({why})"


def connection_error(hop: Hop, log: LoginLog, said: str, *, is_late: bool) -> SSHError:
    """Say why there was no login, and no refusal either."""
    return (
        unconnected_error(hop.settings, log, said)
        or key_exchange_error(hop.settings, log, is_late=is_late or log.is_late)
        or login_error(hop, log, said, is_late=is_late)
    )


def unconnected_error(settings: Settings, log: LoginLog, said: str) -> SSHError | None:
    if log.unresolved:
        return connection_failures.unresolved(settings, log.unresolved)
    if log.unconnected:
        why = log.unconnected[2]
        failure = OSError(ERRNOS[why], why) if why in ERRNOS else OSError(why)
        error = connection_failures.connect_error(settings, failure)
        error.__cause__ = failure
        return error
    last = one_line("".join((log.last_line or said).strip().splitlines()[-1:]))
    if settings.proxy_command and not log.has_greeting:
        last = one_line("".join(said.strip().splitlines()[-1:]))
        what = f"The ProxyCommand does not lead to {connection_failures.place(settings)}{last and f': {last}'}"
        return NotForwarded(what, Hint("Try it", settings.proxy_command))
    if log.find(r"^debug1: (?:Connecting to|Executing proxy command)"):
        return None
    return SSHError(f"ssh cannot connect to {settings.address}: {last}", connection_failures.see_ssh(settings))


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
            f"The jump host {jump} did not lead to {connection_failures.place(settings)}{late}",
            Hint("See why", f"ssh -v {settings.login_options} true"),
        )
    return connection_failures.greeting_error(settings, log.first_line, is_late=log.is_late)


def key_exchange_error(settings: Settings, log: LoginLog, *, is_late: bool) -> SSHError | None:
    if lacking := log.find(r"^Unable to negotiate with .*: no matching (.+) found\. Their offer: (.*)$"):
        return nothing_shared(settings, lacking[1], lacking[2].split(","))
    if not log.has_greeting:
        return connection_failures.greeting_error(settings, log.first_line, is_late=is_late)
    if log.find(r"^KnownHostsCommand.* failed"):
        return HostKeyRefused(
            f"KnownHostsCommand of your SSH configuration failed: no key of {settings.address} is trusted",
            Hint("Try it", settings.known_hosts_command),
        )
    if log.fingerprint:
        return None
    why = "" if is_late else (log.closed or one_line(log.last_line) or "it was closed")
    return connection_failures.handshake_error(settings, why)


def login_error(hop: Hop, log: LoginLog, said: str, *, is_late: bool) -> SSHError:
    settings = hop.settings
    if log.closed is not None and log.is_key_proved:
        return connection_failures.cut_off(settings, [*log.offered, *hop.answers.tried], said)
    if log.closed is not None or is_late:
        return connection_failures.lost_during_login(settings, "" if is_late else log.closed or "it was closed")
    why = one_line(log.last_line) or "ssh gives no reason"
    return SSHError(f"The login at {settings.address} failed: {why}", connection_failures.see_ssh(settings))


def nothing_shared(settings: Settings, kind: str, offered: list[str]) -> Unsupported:
    """Show how to enable an algorithm that ssh leaves off."""
    keyword, query = KINDS.get(kind, (kind, ""))
    answer = query_program(["ssh", "-Q", query], ASK_TIMEOUT) if query else None
    known = answer.stdout.decode(errors="replace").split() if answer else []
    hint = Hint("Update OpenSSH, on the host or here")
    if usable := next((name for name in offered if name in known), ""):
        lines = f"Host {settings.host}\\n  {keyword} +{usable}\\n"
        hint |= Hint(f"or let ssh use {usable}, which is outdated", f"printf '{lines}' >> ~/.ssh/config")
    where, offers = connection_failures.place(settings), one_line(", ".join(offered), LONGEST_OFFER)
    return Unsupported(
        f"{where} is incompatible with our SSH: ssh uses none of the {keyword} that it offers ({offers})", hint
    )
