"""Declare the verbs that look closer."""

from __future__ import annotations

from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.cli.declarations.shared_flags import GO_TEMPLATE, JSON, LOGIN, NAME, NAMES, ONE_NAME, SELECTOR, TIMEOUT
from machinectl.machines.flags import TEXT, Flag

VERBS = {
    "doctor": Verb(
        "look.doctor:doctor",
        "Find out what is wrong with machines, or with this computer, and what to type.",
        more="Without a name: this computer. It changes nothing; exit 1 where something is broken.",
        examples=("machinectl doctor orionbox", "machinectl doctor"),
        arguments=(NAMES,),
        flags=(
            Flag(
                "-t",
                "--timeout",
                metavar="SECONDS",
                help="How long each step may take.",
                kind=float,
                limits=(0.1, 86400),
                default=5,
            ),
            JSON,
            *LOGIN,
            SELECTOR,
        ),
        output=PRINTS,
    ),
    "status": Verb(
        "look.status:status",
        "Print what a machine is doing.",
        examples=("machinectl status orionbox",),
        arguments=(ONE_NAME,),
        flags=(TIMEOUT, JSON),
        output=PRINTS,
        light=(),
    ),
    "version": Verb(
        "look.status:version",
        "Print an engine's version, or without a name our own.",
        examples=("machinectl version orionbox",),
        arguments=(ONE_NAME,),
        flags=(TIMEOUT, JSON),
        output=PRINTS,
    ),
    "info": Verb(
        "look.ps:info",
        "Print what engines say of themselves and their hosts.",
        examples=(
            "machinectl info orionbox",
            "machinectl info --ssh orionbox rigel",
            "machinectl info -f '{{.OperatingSystem}}' orionbox",
        ),
        arguments=(NAMES,),
        flags=(
            Flag("--ssh", help="Log in there, too: disk, load, memory that is left, uptime."),
            GO_TEMPLATE,
            TIMEOUT,
            JSON,
            *LOGIN,
            SELECTOR,
        ),
        output=PRINTS,
    ),
    "inspect": Verb(
        "look.inspect:inspect",
        "Print all that is known of a machine, in docker-machine's shape.",
        examples=("machinectl inspect -f '{{.Driver.IPAddress}}' orionbox",),
        arguments=(ONE_NAME,),
        flags=(GO_TEMPLATE, Flag("--json", help="Print machinectl's own record as JSON.", parameter="as_json")),
        output=PRINTS,
        light=(),
    ),
    "changes": Verb(
        "look.inspect:changes",
        "Print what was done on a machine's host, and what undoing it does.",
        examples=("machinectl changes orionbox",),
        arguments=(ONE_NAME,),
        flags=(JSON,),
        output=PRINTS,
    ),
    "api": Verb(
        "look.api:api",
        "Ask a machine's engine, and print its raw answer.",
        examples=("machinectl api orionbox /info", "machinectl api orionbox POST '/images/prune'"),
        arguments=(NAME, Argument("request", "[METHOD] PATH", TEXT, many=True, required=True)),
        flags=(
            Flag(
                "-d",
                "--data",
                metavar="JSON|@FILE",
                help="What to send: JSON, @FILE, or @- for stdin.",
                parameter="body",
            ),
            Flag(
                "-t",
                "--timeout",
                metavar="SECONDS",
                help="How long a host may take to answer.",
                kind=float,
                limits=(0, 86400),
                default=30,
            ),
        ),
        output=PRINTS,
    ),
}
