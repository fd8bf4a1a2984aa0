"""Explain refused logins and commands from a host's output."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, one_line
from machinectl.quantities import plural
from machinectl.ssh.ssh_errors import KEY, LoginRefused, NoShell
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
# Longest quotes of a host's text, in characters.
LONGEST_SAID, LONGEST_BANNER = 200, 100
PASSWORD_METHODS = ("password", "keyboard-interactive")
GIVE_PASSWORD = Hint("Give the password: --ssh-password-file <FILE>")


def login_refused(
    settings: Settings, tried: Sequence[str], unused: Sequence[str], methods: Sequence[str]
) -> LoginRefused:
    """`tried` and `unused` name keys; `methods` are those that the host accepts."""
    what = f"tried: {tried_once(tried)}" if tried else "there was no key to try"
    beside = f"; not usable: {', '.join(unused)}" if unused else ""
    takes_password = any(method in methods for method in PASSWORD_METHODS)
    hint = GIVE_PASSWORD if takes_password else Hint("Try", f"ssh {settings.login_options}")
    accepts = ", ".join(methods) or "nothing"
    return LoginRefused(f"{settings.login} refuses the login ({what}{beside}); it accepts {accepts}", hint, KEY)


def wants_more(
    settings: Settings, accepted_key: str, methods: Sequence[str], question: str, *, asks: bool
) -> LoginRefused:
    """The host accepts the key and wants more; `question` is what it asks, if anything. `asks`: at a terminal."""
    if "password" in methods:
        hint = GIVE_PASSWORD
    elif asks:
        hint = Hint("Try it", f"ssh {settings.login_options}")
    else:
        hint = Hint("Run it at a terminal, where the host asks for the code")
    return LoginRefused(
        f"{settings.login} accepts the key {accepted_key} and wants more: it accepts {', '.join(methods)} "
        f"now{question and f', and asks: {question!r}'}",
        hint | Hint(f"or accept the key alone: AuthenticationMethods publickey in sshd_config for {settings.user}"),
    )


def cut_off(settings: Settings, tried: Sequence[str], banner: str) -> LoginRefused:
    """The host ended the connection during the login."""
    said = one_line(banner, LONGEST_BANNER)
    if NOT_NOW.search(banner):
        return LoginRefused(
            f"{settings.address} currently lets only root log in: {said!r}",
            Hint("It is starting up or shutting down: wait, and run this again")
            | Hint("else, on the host", "rm -f /run/nologin"),
        )
    if NEW_PASSWORD.search(banner):
        return LoginRefused(*new_password(settings))
    if EXPIRED.search(banner):
        return LoginRefused(
            f"The account of {settings.user} at {settings.address} has expired: {said!r}",
            Hint("On the host, as root", f"chage -E -1 {settings.user}"),
        )
    advice = Hint("It allows a few attempts; check the password")
    if said and len(tried) <= 1:
        # pam_nologin(8) shows the admin's text.
        advice = Hint("If that is the text of /run/nologin there, wait, or remove it as root", "rm /run/nologin")
    return LoginRefused(
        f"{settings.address} ended the connection after {plural(len(tried) or 1, 'attempt')} to log in as "
        f"{settings.user}: {tried_once(tried) or 'none of ours'}{f'; it said {said!r}' if said else ''}",
        advice,
        KEY,
    )


def tried_once(tried: Sequence[str]) -> str:
    """Return what was tried, and how often if that was more than once."""
    times = Counter(tried)
    return ", ".join(what if count == 1 else f"{what} ({count} times)" for what, count in times.items())


def instead_of_commands(settings: Settings, said: str) -> NoShell:
    """Return why a host runs no commands."""
    words = one_line(said.strip()[-LONGEST_SAID:], LONGEST_SAID)
    if NEW_PASSWORD.search(said):
        return NoShell(*new_password(settings))
    another = ANOTHER_USER.search(said)
    # A person types this name as part of a command: allow only safe characters.
    user = another[1] if another and re.fullmatch(NAME, another[1]) else ""
    shell = Hint("or give this one a shell, as root on the host", f"chsh -s /bin/sh {settings.user}")
    look = Hint(
        f"or look on the host for command= in ~{settings.user}/.ssh/authorized_keys, ForceCommand and ChrootDirectory "
        "in sshd_config, and exec or read in a start-up file such as ~/.bashrc"
    )
    return NoShell(
        f"{settings.user} can log in at {settings.address} but run no commands: "
        + (f"it says {words!r}" if words else "it prints nothing"),
        Hint("If it is starting up or shutting down, wait, and run this again")
        if NOT_NOW.search(said)
        else Hint(f"Log in as {'that' if user else 'another'} user: --ssh-user {user or '<USER>'}")
        | (NO_HINT if user else shell | look),
    )


def new_password(settings: Settings) -> tuple[str, Hint]:
    return (
        f"The password of {settings.user} at {settings.address} has expired: it wants a new one before anything else",
        Hint("Log in once, and give it one", f"ssh {settings.login_options}"),
    )
