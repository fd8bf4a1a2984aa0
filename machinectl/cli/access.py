"""The options that say how to log in at a machine's host, for any verb that does."""

from __future__ import annotations

import functools
import inspect
import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.exits import debugging
from machinectl.cli.helped import SSH
from machinectl.cli.verbs import evaluate, keyword, session
from machinectl.ssh.credentials import Credentials, is_exposed, read_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.certs import Pair
    from machinectl.cli.verbs import Session
    from machinectl.console import Console
    from machinectl.hosts.access import Access

# By the name of the parameter: each is also read from the variable, where one is named.
SECRETS = {
    "ssh_passphrase_file": ("--ssh-passphrase-file", "", "A file with the passphrase of the SSH key."),
    "ssh_password_file": ("--ssh-password-file", "MACHINECTL_SSH_PASSWORD", "A file with the password to log in with"),
    "sudo_password_file": ("--sudo-password-file", "MACHINECTL_SUDO_PASSWORD", "A file with the password for sudo"),
}

NO_JUMP = ("", "none")
JUMP = "NAME|[USER@]HOST[:PORT]"

# A line of a file that was read on a host (facts.sh): base64 after a bar.
FILE_CONTENT = r"(?m)^\|[A-Za-z0-9+/]{16,}={0,2}$"


def access_parameters(*, hidden: bool = False) -> list[inspect.Parameter]:
    """The options that say how to log in, for any verb that does; `taken_access` reads what they were given."""
    secrets = [
        keyword(name, Annotated[str, secret_option(flag, secret_help(text, variable), hidden=hidden)], "")
        for name, (flag, variable, text) in SECRETS.items()
    ]
    host_key = typer.Option(
        metavar="SHA256:…",
        help="The fingerprint that the host's SSH key must have.",
        rich_help_panel=SSH,
        hidden=hidden,
    )
    strict = typer.Option(
        "--ssh-strict", help="Refuse a host whose SSH key is not known.", rich_help_panel=SSH, hidden=hidden
    )
    return [
        *secrets,
        keyword("ssh_host_key", Annotated[str, host_key], ""),
        keyword("ssh_strict", Annotated[bool, strict], False),
    ]


def secret_option(flag: str, text: str, *, hidden: bool) -> Any:
    return typer.Option(flag, metavar="FILE", help=text, rich_help_panel=SSH, hidden=hidden)


def secret_help(text: str, variable: str) -> str:
    return f"{text} (else ${variable}, else you are asked)." if variable else text


def taken_access(options: dict[str, Any], here: Session) -> Access:
    """How to log in, by the options of `access_parameters`, which are taken out of all those given."""
    from machinectl.hosts.access import Access

    secrets = {
        name: secret(options.pop(name), flag, here.passwords.get(variable), here.console)
        for name, (flag, variable, _) in SECRETS.items()
    }
    return Access(
        Credentials(
            passphrase=secrets["ssh_passphrase_file"],
            password=secrets["ssh_password_file"],
            sudo_password=secrets["sudo_password_file"],
        ),
        host_key=options.pop("ssh_host_key"),
        strict=options.pop("ssh_strict"),
        trace=(lambda text: here.console.note(traced(text))) if debugging() else None,
    )


def traced(text: str) -> str:
    """A remote command, or what it printed, as --debug shows it: a host's own files hold passwords, too."""
    from machinectl.masking import without_secrets_in_lines

    return without_secrets_in_lines(re.sub(FILE_CONTENT, "|…", text))


def take_passwords() -> dict[str, str]:
    """What the environment holds of SECRETS, by its variable, and no longer: whatever is run would inherit it."""
    variables = [variable for _, variable, _ in SECRETS.values() if variable in os.environ]
    return {variable: value for variable in variables if (value := os.environ.pop(variable))}


def secret(path: str, flag: str, variable: str | None, console: Console) -> str | None:
    """What a file holds that was named, or else a variable of the environment; None where nothing was given."""
    if not path:
        return variable or None
    if is_exposed(path):
        console.warn(f"{flag}: others can read {path}; keep them out: chmod 600 {path}")
    return read_secret(path, flag)


def with_access(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a verb the options that say how to log in; the function gets them as its `access`."""
    # It is no option, and its type is loaded by those that log in.
    del function.__annotations__["access"]
    evaluate(function)
    own = inspect.signature(function).parameters.values()
    parameters = [parameter for parameter in own if parameter.name != "access"]

    @functools.wraps(function)
    def run(ctx: typer.Context, *given: Any, **options: Any) -> int | None:
        return function(ctx, *given, access=taken_access(options, session(ctx)), **options)

    # Typer reads a function's parameters here.
    run.__signature__ = inspect.Signature([*parameters, *access_parameters()])  # type: ignore[attr-defined]
    return run


def taken_jump(text: str | None) -> str | None:
    """What --ssh-jump was given, as a record has it: ProxyJump's word for no jump host is none."""
    return "" if text is not None and text.strip().lower() in NO_JUMP else text


def authority(here: Session) -> Pair | None:
    """The CA that was named before the verb, with its key; None where none was."""
    from machinectl.commands.certs.create import given_ca

    return given_ca(here.tls.ca, here.tls.ca_key) if here.tls.ca_key else None
