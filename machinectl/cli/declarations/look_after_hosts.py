"""Declare the verbs that look after machines' hosts."""

from __future__ import annotations

from machinectl.cli.declarations.declared_verb import Verb
from machinectl.cli.declarations.shared_flags import (
    DRY_RUN,
    FORCE,
    LOGIN,
    NAMES,
    OPEN_FIREWALL,
    RESTART_SWARM,
    SELECTOR,
    TAKE_OVER,
    TIMEOUT,
    YES_CONTAINERS,
)
from machinectl.machines.flags import Flag

VERBS = {
    "provision": Verb(
        "manage.provision:provision",
        "Apply each machine's settings to its host.",
        more="What is right does not change.",
        examples=("machinectl provision orionbox",),
        arguments=(NAMES,),
        flags=(TAKE_OVER, DRY_RUN, FORCE, RESTART_SWARM, OPEN_FIREWALL, *LOGIN, SELECTOR),
    ),
    "upgrade": Verb(
        "manage.provision:upgrade",
        "Upgrade engines with their hosts' package managers.",
        more="It asks before more than a patch release.",
        examples=("machinectl upgrade --dry-run orionbox", "machinectl upgrade orionbox"),
        arguments=(NAMES,),
        flags=(
            Flag("-y", "--yes", help="Do not ask before more than a patch release."),
            Flag("-f", "--force", help="Restart the engine even if that stops containers; it still asks."),
            RESTART_SWARM,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "regenerate-certs": Verb(
        "manage.provision:regenerate_certs",
        "Create new certificates; containers keep running.",
        more="It restarts each engine with live-restore and changes nothing else.",
        examples=("machinectl regenerate-certs orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag("-y", "-f", "--yes", "--force", help="Do not ask (-f as in docker-machine)."),
            Flag("--client-certs", help="Create a new client certificate, too."),
            Flag("--new-ca", help="Create a new CA, too: this locks out all other clients."),
            Flag("--tls-san", metavar="NAME|ADDRESS", help="An additional name in the server certificate.", many=True),
            RESTART_SWARM,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "start": Verb(
        "manage.power:start",
        "Power on hosts (Wake-on-LAN) and wait until they answer.",
        examples=("machinectl start orionbox",),
        arguments=(NAMES,),
        flags=(
            TIMEOUT.with_changes(help="Timeout for each host to answer.", limits=(1, None), default=600),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "stop": Verb(
        "manage.power:stop",
        "Shut down hosts and wait until they are off.",
        examples=("machinectl stop orionbox",),
        arguments=(NAMES,),
        flags=(
            TIMEOUT.with_changes(help="Timeout for each host to power off.", limits=(1, None), default=600),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "restart": Verb(
        "manage.power:restart",
        "Reboot hosts and wait until they are back.",
        examples=("machinectl restart orionbox",),
        arguments=(NAMES,),
        flags=(
            TIMEOUT.with_changes(help="Timeout for each host to come back.", limits=(1, None), default=600),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "kill": Verb(
        "manage.power:kill",
        "Power off hosts without a shutdown.",
        more="Only drivers with a power switch can do this; `stop` shuts down over SSH.",
        examples=("machinectl kill orionbox",),
        arguments=(NAMES,),
        flags=(
            TIMEOUT.with_changes(help="", limits=(1, None), default=600, hidden=True),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
}
