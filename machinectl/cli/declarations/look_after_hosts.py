"""Declare the verbs that look after machines' hosts."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import Verb
from machinectl.machines.flags import Flag

YES_CONTAINERS = Flag("-y", "--yes", help="Do not ask, even if containers run on the host.")


def power_verb(name: str, summary: str, timeout: str = "", more: str = "") -> Verb:
    """Declare a verb with `timeout`, the help of --timeout; "" hides that flag."""
    limit = shared.TIMEOUT.with_changes(help=timeout, limits=(1, None), default=600, hidden=not timeout)
    return Verb(
        f"manage.power:{name}",
        summary,
        more=more,
        examples=(f"machinectl {name} orionbox",),
        arguments=(shared.NAMES,),
        asks_for_all=name != "start",
        flags=(limit, YES_CONTAINERS, shared.DRY_RUN, *shared.LOGIN, *shared.CHOICE),
    )


VERBS = {
    "provision": Verb(
        "manage.provision:provision",
        "Apply each machine's settings to its host.",
        more="You can run it again at any time: it changes only what differs.",
        examples=("machinectl provision orionbox",),
        arguments=(shared.NAMES,),
        flags=(
            shared.TAKE_OVER,
            Flag("--take-over", help="Replace settings that were changed here by those of another computer."),
            shared.DRY_RUN,
            shared.FORCE,
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            *shared.LOGIN,
            *shared.CHOICE,
        ),
    ),
    "upgrade": Verb(
        "manage.provision:upgrade",
        "Upgrade engines with their hosts' package managers.",
        more="It asks before more than a patch release.",
        examples=("machinectl upgrade --dry-run orionbox", "machinectl upgrade orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-y", "--yes", help="Do not ask before more than a patch release."),
            Flag("-f", "--force", help="Restart the engine even if that stops containers; it still asks."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
            *shared.CHOICE,
        ),
    ),
    "regenerate-certs": Verb(
        "manage.provision:regenerate_certs",
        "Create new certificates; containers keep running.",
        more="It restarts each engine with live-restore and changes nothing else.",
        examples=("machinectl regenerate-certs orionbox",),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-y", "-f", "--yes", "--force", help="Do not ask (-f as in docker-machine)."),
            Flag("--client-certs", help="Create a new client certificate, too."),
            Flag("--new-ca", help="Create a new CA, too: this locks out all other clients."),
            Flag("--tls-san", metavar="NAME|ADDRESS", help="An additional name in the server certificate.", many=True),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
            *shared.CHOICE,
        ),
    ),
    "renew": Verb(
        "manage.renew:renew",
        "Renew certificates before they expire.",
        more=(
            "With --due, it renews what has less than a third of its lifetime left, on all machines or the named ones, "
            "and asks nothing. Without, it makes new certificates now, as `regenerate-certs --client-certs` does. "
            "An engine restarts for a new server certificate; containers keep running."
        ),
        examples=("machinectl renew --due", "machinectl renew --install-timer", "machinectl renew orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--due", help="Renew only what is due; never ask."),
            Flag(
                "--lifetime-left",
                metavar="SHARE|TIME",
                help="Renew certificates with less than this share of their lifetime, or this time, left "
                "(1/3, 30%, 30d, 12h).",
            ),
            Flag("--install-timer", help="Run `renew --due` daily from now on, with the other options given."),
            Flag("--uninstall-timer", help="Remove the timer."),
            Flag("-y", "--yes", help="Do not ask (--due never does)."),
            shared.DRY_RUN,
            shared.JSON_LINES,
            *shared.LOGIN,
            *shared.CHOICE,
        ),
        refuses_empty=True,
    ),
    "start": power_verb(
        "start", "Power on hosts (Wake-on-LAN) and wait until they answer.", "Timeout for each host to answer."
    ),
    "stop": power_verb("stop", "Shut down hosts and wait until they are off.", "Timeout for each host to power off."),
    "restart": power_verb(
        "restart", "Reboot hosts and wait until they are back.", "Timeout for each host to come back."
    ),
    "kill": power_verb(
        "kill",
        "Power off hosts without a shutdown.",
        more="Only drivers with a power switch can do this; `stop` shuts down over SSH.",
    ),
}
