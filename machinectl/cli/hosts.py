"""The verbs that reach a machine's host over SSH, and the options that say how to log in there."""

from __future__ import annotations

import functools
import inspect
import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.exits import report
from machinectl.cli.verbs import Names, keyword, session, verb
from machinectl.commands.access import Access
from machinectl.commands.onboard import Onboarding
from machinectl.errors import MachineError
from machinectl.provision.wish import Leave
from machinectl.ssh.credentials import Credentials, read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from machinectl.certs import Pair
    from machinectl.cli.verbs import Session
    from machinectl.commands.provisioning import Outcome

# OpenSSH's own, for a failure that is not the remote command's (ssh(1), EXIT STATUS).
SSH_FAILED = 255

# By the name of the parameter: each is also read from the variable, where one is named.
SECRETS = {
    "ssh_passphrase_file": ("--ssh-passphrase-file", "", "A file with the passphrase of the SSH key."),
    "ssh_password_file": ("--ssh-password-file", "MACHINECTL_SSH_PASSWORD", "A file with the password to log in with"),
    "sudo_password_file": ("--sudo-password-file", "MACHINECTL_SUDO_PASSWORD", "A file with the password for sudo"),
}

TAKE_VALUES = frozenset(flag for flag, *_ in SECRETS.values()) | {"--ssh-host-key"}

# As proxies have it: http://user:password@host.
URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(@)")
# A line of a file that was read on a host (facts.sh): base64 after a bar.
FILE_CONTENT = re.compile(r"^\|[A-Za-z0-9+/]{16,}={0,2}$", re.MULTILINE)

RestartSwarm = Annotated[
    bool, typer.Option("--restart-swarm", help="Restart the engine of a Swarm node, too: its tasks stop.")
]
OpenFirewall = Annotated[
    bool, typer.Option("--open-firewall", help="Let the engine's port through the host's firewall.")
]
Wait = Annotated[
    float, typer.Option("-t", "--timeout", min=1, metavar="SECONDS", help="How long a host may take to come back.")
]


def access_parameters() -> list[inspect.Parameter]:
    """The options that say how to log in, for any verb that does; `taken_access` reads what they were given."""
    secrets = [
        keyword(name, Annotated[str, typer.Option(flag, metavar="FILE", help=secret_help(text, variable))], "")
        for name, (flag, variable, text) in SECRETS.items()
    ]
    host_key = typer.Option(metavar="SHA256:…", help="The fingerprint that the host's SSH key must have.")
    strict = typer.Option("--ssh-strict", help="Refuse a host whose SSH key is not known.")
    return [
        *secrets,
        keyword("ssh_host_key", Annotated[str, host_key], ""),
        keyword("ssh_strict", Annotated[bool, strict], False),
    ]


def secret_help(text: str, variable: str) -> str:
    return f"{text} (else ${variable}, else you are asked)." if variable else text


def taken_access(options: dict[str, Any], here: Session) -> Access:
    """How to log in, by the options of `access_parameters`, which are taken out of all those given."""
    secrets = {name: secret(options.pop(name), flag, variable) for name, (flag, variable, _) in SECRETS.items()}
    return Access(
        Credentials(
            passphrase=secrets["ssh_passphrase_file"],
            password=secrets["ssh_password_file"],
            sudo_password=secrets["sudo_password_file"],
        ),
        host_key=options.pop("ssh_host_key"),
        strict=options.pop("ssh_strict"),
        trace=(lambda text: here.console.note(without_secrets(text))) if os.environ.get("MACHINE_DEBUG") else None,
    )


def without_secrets(text: str) -> str:
    """A remote command, or what it printed, as --debug shows it: a host's own files hold passwords, too."""
    return URL_PASSWORD.sub(r"\1…\2", FILE_CONTENT.sub("|…", text))


def secret(path: str, flag: str, variable: str) -> str | None:
    """What a file or else the environment holds; None where nothing was given."""
    return read_secret(path, flag) if path else os.environ.get(variable) or None


def with_access(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a verb the options that say how to log in; the function gets them as its `access`."""
    own = inspect.signature(function, eval_str=True).parameters.values()
    parameters = [parameter for parameter in own if parameter.name != "access"]

    @functools.wraps(function)
    def run(ctx: typer.Context, *given: Any, **options: Any) -> int | None:
        return function(ctx, *given, access=taken_access(options, session(ctx)), **options)

    # Typer reads a function's parameters here.
    run.__signature__ = inspect.Signature([*parameters, *access_parameters()])  # type: ignore[attr-defined]
    return run


def failing_with(code: int) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Have a verb's own failures end in one exit code, whatever they are."""

    def change(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(function)
        def run(ctx: typer.Context, *given: Any, **options: Any) -> int | None:
            try:
                return function(ctx, *given, **options)
            except MachineError as exc:
                report(exc, session(ctx).program)
                return code

        return run

    return change


def outcome(here: Session, results: Iterable[tuple[str, MachineError | None]]) -> int:
    """Report what failed as it fails; the exit code."""
    failed = False
    for _, error in results:
        if error:
            report(error, here.program)
            failed = True
    return int(failed)


def add_host_verbs(app: typer.Typer) -> None:
    add_ssh(app)
    add_upkeep(app)
    add_power(app)


def add_ssh(app: typer.Typer) -> None:
    @verb(
        app,
        "ssh",
        help="Log in at a machine's host, or run a command there. What follows the name is ssh's: options, a command.",
        # What follows the name is taken as it is; an unknown option before it is answered by the command.
        context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    )
    @failing_with(SSH_FAILED)
    @with_access
    def ssh(
        ctx: typer.Context,
        access: Access,
        words: Annotated[list[str] | None, typer.Argument(metavar="[NAME] [ARGUMENT]…", show_default=False)] = None,
    ) -> int:
        from machinectl.commands.ssh import ssh as command

        here = session(ctx)
        return command(here.store, here.console, words or [], access, native=here.native_ssh)


def add_upkeep(app: typer.Typer) -> None:
    """Add the verbs that work on the engine of a host."""

    @verb(app, "provision", help="Make machines' hosts what their records say; what is right is left alone.")
    @with_access
    def provision(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
        force: Annotated[
            bool, typer.Option("-f", "--force", help="Replace the certificates of an engine that has other ones.")
        ] = False,
        restart_swarm: RestartSwarm = False,
        open_firewall: OpenFirewall = False,
    ) -> int:
        from machinectl.commands.provision import provision as command

        here = session(ctx)
        leave = Leave(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, dry_run=dry_run)

        def tell(name: str, outcomes: list[Outcome]) -> None:
            changed = [each for each in outcomes if each.changed]
            if not changed:
                here.console.note(f'"{name}" is as it should be: nothing to do')
            if dry_run:
                print_decisions(changed)

        return outcome(
            here, command(here.store, here.console, names or [], access, leave, tell, authority=authority(here))
        )

    @verb(app, "regenerate-certs", help="Make new certificates for machines' engines; containers keep running.")
    @with_access
    def regenerate_certs(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        force: Annotated[bool, typer.Option("-f", "--force", help="Do not ask.")] = False,
        client_certs: Annotated[
            bool, typer.Option("--client-certs", help="Make a new certificate for the client here, too.")
        ] = False,
        new_ca: Annotated[
            bool, typer.Option("--new-ca", help="Make a new CA, too: it locks out all other clients.")
        ] = False,
        tls_san: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME|ADDRESS", help="One more name in the server's certificate."),
        ] = None,
        restart_swarm: RestartSwarm = False,
    ) -> int:
        from machinectl.commands.regenerate_certs import Renewal
        from machinectl.commands.regenerate_certs import regenerate_certs as command

        here = session(ctx)
        renewal = Renewal(tuple(tls_san or ()), client_certs, new_ca, authority(here), restart_swarm)
        return outcome(here, command(here.store, here.console, names or [], access, renewal, force=force))

    @verb(app, "upgrade", help="Upgrade machines' engines by the package manager of their hosts.")
    @with_access
    def upgrade(
        ctx: typer.Context,
        access: Access,
        names: Names = None,
        yes: Annotated[
            bool, typer.Option("-y", "--yes", help="Do not ask before an upgrade that is more than a patch.")
        ] = False,
        restart_swarm: RestartSwarm = False,
    ) -> int:
        from machinectl.commands.upgrade import upgrade as command

        here = session(ctx)
        return outcome(
            here, command(here.store, here.console, names or [], access, yes=yes, restart_swarm=restart_swarm)
        )


def add_power(app: typer.Typer) -> None:
    """Add the verbs for a host's power."""
    add_switch(app, "start", "Switch hosts on (by Wake-on-LAN), and wait until they answer.")
    add_switch(app, "stop", "Shut hosts down, and wait until they are off.")
    add_switch(app, "restart", "Reboot hosts, and wait until they are back.")
    add_switch(app, "kill", "Switch hosts off without asking them, where their driver can.")


def add_switch(app: typer.Typer, name: str, text: str) -> None:
    @verb(app, name, help=text)
    @with_access
    # A server's firmware may test its memory and its disks for minutes.
    def run(ctx: typer.Context, access: Access, names: Names = None, timeout: Wait = 600) -> int:
        from machinectl.commands.power import Power

        here = session(ctx)
        switch = {"start": Power.start, "stop": Power.stop, "restart": Power.restart, "kill": Power.kill}[name]
        return outcome(here, switch(Power(here.store, here.console, access, timeout), names or []))


def onboarding(access: Access, leave: Leave, here: Session) -> Onboarding:
    """How `create` makes a new machine's host an engine host."""
    return Onboarding(access, leave, authority(here))


def authority(here: Session) -> Pair | None:
    """The CA that was named before the verb, with its key; None where none was."""
    from machinectl.commands.certs_create import given_ca

    return given_ca(here.certificates.ca, here.ca_key) if here.ca_key else None


def print_decisions(decisions: Iterable[Outcome]) -> None:
    for decision in (each for each in decisions if each.changed):
        print(decision.title)
        for detail in decision.details:
            print(f"    {detail}")
