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
    YES_CONTAINERS,
)
from machinectl.machines.flags import Flag

VERBS = {
    "provision": Verb(
        "manage.provision:provision",
        "Make machines' hosts what their records say.",
        more="What is right there is left alone.",
        examples=("machinectl provision orionbox",),
        arguments=(NAMES,),
        flags=(TAKE_OVER, DRY_RUN, FORCE, RESTART_SWARM, OPEN_FIREWALL, *LOGIN, SELECTOR),
    ),
    "upgrade": Verb(
        "manage.provision:upgrade",
        "Upgrade engines by the package managers of their hosts.",
        more="More than a patch release is asked about.",
        examples=("machinectl upgrade --dry-run orionbox", "machinectl upgrade orionbox"),
        arguments=(NAMES,),
        flags=(
            Flag("-y", "--yes", help="Do not ask before an upgrade that is more than a patch."),
            Flag("-f", "--force", help="Restart an engine although that harms; it asks all the same."),
            RESTART_SWARM,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "regenerate-certs": Verb(
        "manage.provision:regenerate_certs",
        "Make new certificates; containers keep running.",
        more="Each engine is restarted with live-restore, and nothing else is changed.",
        examples=("machinectl regenerate-certs orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag("-y", "-f", "--yes", "--force", help="Do not ask (-f as docker-machine has it)."),
            Flag("--client-certs", help="Make a new certificate for the client here, too."),
            Flag("--new-ca", help="Make a new CA, too: it locks out all other clients."),
            Flag("--tls-san", metavar="NAME|ADDRESS", help="One more name in the server's certificate.", many=True),
            RESTART_SWARM,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "start": Verb(
        "manage.power:start",
        "Switch hosts on (Wake-on-LAN), and wait until they answer.",
        examples=("machinectl start orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag(
                "-t",
                "--timeout",
                metavar="SECONDS",
                help="How long a host may take until it answers.",
                kind=float,
                limits=(1, None),
                default=600,
            ),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "stop": Verb(
        "manage.power:stop",
        "Shut hosts down, and wait until they are off.",
        examples=("machinectl stop orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag(
                "-t",
                "--timeout",
                metavar="SECONDS",
                help="How long a host may take until it is off.",
                kind=float,
                limits=(1, None),
                default=600,
            ),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "restart": Verb(
        "manage.power:restart",
        "Reboot hosts, and wait until they are back.",
        examples=("machinectl restart orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag(
                "-t",
                "--timeout",
                metavar="SECONDS",
                help="How long a host may take to come back.",
                kind=float,
                limits=(1, None),
                default=600,
            ),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
    "kill": Verb(
        "manage.power:kill",
        "Switch hosts off without asking them.",
        more="Only drivers that hold the power switch can; stop asks the host itself.",
        examples=("machinectl kill orionbox",),
        arguments=(NAMES,),
        flags=(
            Flag("-t", "--timeout", metavar="SECONDS", kind=float, limits=(1, None), default=600, hidden=True),
            YES_CONTAINERS,
            DRY_RUN,
            *LOGIN,
            SELECTOR,
        ),
    ),
}
