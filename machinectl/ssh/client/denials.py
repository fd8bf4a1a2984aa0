"""Explain refused logins and commands from a host's output."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.quantities import plural
from machinectl.ssh.ssh_errors import ANOTHER_KEY, LoginRefused, NoShell
from machinectl.ssh.ssh_settings import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.ssh.ssh_settings import Settings

# pam_nologin(8) with systemd's text, and sshd without PAM.
NOT_NOW = re.compile(r"System is (booting up|going down)|pam_nologin|not permitted to log in", re.IGNORECASE)
# pam_unix(8) and sshd.
NEW_PASSWORD = re.compile(r"password (has expired|change required)|to change your password", re.IGNORECASE)
EXPIRED = re.compile(r"account has expired", re.IGNORECASE)
# cloud-init's command= for root's key if root may not log in.
ANOTHER_USER = re.compile(r"login as the user \"?([^\s\"]+)\"? rather than", re.IGNORECASE)
# Printed by nologin(8); false(1) and an SFTP server print nothing.
NO_SHELL = re.compile(r"account is (currently )?not available")
# Messages of bash as rbash, of git-shell, and of sshd about a missing login shell.
RESTRICTED = re.compile(r"\brestricted\b")
GIT_SHELL = re.compile(r"unrecognized command|Interactive git shell is not enabled")
SHELL_MISSING = re.compile(r"^(/\S+): No such file or directory\s*$")
# Part of every script. A program that is not a shell echoes it.
ECHOED = re.compile(r"printf '%s\\n' [0-9a-f]{32}|IFS= read -r line")
# Longest quote of a host's text, in characters.
LONGEST_SAID, LONGEST_BANNER = 200, 100
PASSWORD_METHODS = ("password", "keyboard-interactive")


def login_refused(
    settings: Settings, tried: Sequence[str], unused: Sequence[str], methods: Sequence[str]
) -> LoginRefused:
    """`tried` and `unused` name keys; `methods` are those that the host accepts."""
    what = f"tried: {tried_once(tried)}" if tried else "there was no key to try"
    beside = f"; not usable: {', '.join(unused)}" if unused else ""
    if any(method in methods for method in PASSWORD_METHODS):
        hint = f"Name a key, {ANOTHER_KEY}, or give the password, --ssh-password-file FILE"
    else:
        hint = f"Name the right key, {ANOTHER_KEY}, or try: ssh {settings.login_options}"
    accepts = ", ".join(methods) or "nothing"
    return LoginRefused(f"{settings.login} refuses the login ({what}{beside}); it accepts {accepts}", hint)


def wants_more(
    settings: Settings, accepted_key: str, methods: Sequence[str], question: str, *, asks: bool
) -> LoginRefused:
    """The host accepts the key and wants more; `question` is what it asks, if anything. `asks`: at a terminal."""
    key_only = f"on the host, AuthenticationMethods publickey in sshd_config for {settings.user}"
    if "password" in methods:
        hint = f"Give the password, --ssh-password-file FILE; or accept the key alone: {key_only}"
    elif asks:
        hint = f"Try it: ssh {settings.login_options}; or accept the key alone: {key_only}"
    else:
        hint = f"Run it at a terminal, where the host asks for the code; or accept the key alone: {key_only}"
    return LoginRefused(
        f"{settings.login} accepts the key {accepted_key} and wants more: it accepts {', '.join(methods)} "
        f"now{question and f', and asks: {question!r}'}",
        hint,
    )


def cut_off(settings: Settings, tried: Sequence[str], banner: str) -> LoginRefused:
    """The host ended the connection during the login."""
    explained = instead_of_login(settings, banner)
    if explained is not None:
        return explained
    advice = "It allows a few attempts: "
    if banner.strip() and len(tried) <= 1:
        # pam_nologin(8) shows the admin's text.
        advice = "If that is the text of /run/nologin there, wait, or remove it as root: rm /run/nologin; else "
    return LoginRefused(
        f"{settings.address} ended the connection after {plural(len(tried) or 1, 'attempt')} to log in as "
        f"{settings.user}: {tried_once(tried) or 'none of ours'}"
        f"{f'; it said {one_line(banner, LONGEST_BANNER)!r}' if banner.strip() else ''}",
        f"{advice}name the right key, {ANOTHER_KEY}, or check the password",
    )


def tried_once(tried: Sequence[str]) -> str:
    """Return what was tried, and how often if that was more than once."""
    times = Counter(tried)
    return ", ".join(what if count == 1 else f"{what} ({count} times)" for what, count in times.items())


def instead_of_login(settings: Settings, said: str) -> LoginRefused | None:
    """Return None if the banner of a closed connection does not explain it."""
    words = one_line(said, LONGEST_SAID)
    if NOT_NOW.search(said):
        return LoginRefused(
            f"{settings.address} currently lets only root log in: {words!r}",
            "It is starting up or shutting down: wait, and run this again; else, on the host: rm -f /run/nologin",
        )
    if NEW_PASSWORD.search(said):
        return LoginRefused(*new_password(settings))
    if EXPIRED.search(said):
        return LoginRefused(
            f"The account of {settings.user} at {settings.address} has expired: {words!r}",
            f"On the host, as root: chage -E -1 {settings.user}",
        )
    return None


def instead_of_commands(settings: Settings, said: str) -> NoShell:
    """Return why a host runs no commands."""
    words = one_line(said.strip()[-LONGEST_SAID:], LONGEST_SAID)
    another = ANOTHER_USER.search(said)
    # A person types this name as part of a command: allow only safe characters.
    if another and re.fullmatch(NAME, another[1]):
        return NoShell(
            f"{settings.user} may not log in at {settings.address}: it says {words!r}",
            f"Log in as that user: --ssh-user {another[1]}",
        )
    if NEW_PASSWORD.search(said):
        return NoShell(*new_password(settings))
    cause = f"{settings.user} can log in at {settings.address} but run no commands"
    if words:
        cause += f": it says {words!r}"
    if NOT_NOW.search(said):
        return NoShell(cause, "It is starting up or shutting down: wait, and run this again")
    another_shell = f"chsh -s /bin/sh {settings.user}, as root on the host"
    if RESTRICTED.search(said) or GIT_SHELL.search(said):
        which = "restricted" if RESTRICTED.search(said) else "git-shell"
        return NoShell(f"{cause}; its login shell is {which}", f"Log in as another user, or change it: {another_shell}")
    if missing := SHELL_MISSING.search(said):
        return NoShell(
            f"{cause}; its login shell {missing[1]} does not exist, or not in the ChrootDirectory of sshd_config",
            f"On the host, as root: sshd -T -C user={settings.user} | grep -i chroot; or log in as another user",
        )
    if ECHOED.search(said):
        return NoShell(
            f"{settings.user} can log in at {settings.address} but run no commands: it echoes the commands; a "
            "start-up file starts another program",
            f"On the host, in ~{settings.user}/.bashrc and the like: exec only at a terminal ([ -t 0 ] && exec …)",
        )
    if not words:
        return NoShell(
            f"{cause}, and prints nothing: its login shell is not a shell, or a start-up file reads the commands",
            f"Log in as another user, or look for read and exec in ~{settings.user}/.bashrc there, or give it a shell: "
            f"{another_shell}",
        )
    if NO_SHELL.search(said):
        return NoShell(cause, f"Log in as another user, or give this one a shell: {another_shell}")
    return NoShell(
        f"{cause}; the host runs another command instead",
        "Look on the host for command= before the key in ~/.ssh/authorized_keys, ForceCommand in sshd_config, or exec "
        "in a start-up file such as ~/.bashrc; or log in as another user",
    )


def new_password(settings: Settings) -> tuple[str, str]:
    return (
        f"The password of {settings.user} at {settings.address} has expired: it wants a new one before anything else",
        f"Log in once, and give it one: ssh {settings.login_options}",
    )
