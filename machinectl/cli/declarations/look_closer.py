"""Declare the verbs that look closer."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.machines.flags import TEXT, Flag

GO_TEMPLATE = Flag("-f", "--format", metavar="TEMPLATE", help="A Go template.", parameter="template")

VERBS = {
    "doctor": Verb(
        "look.doctor:doctor",
        "Check machines and this computer, and say how to fix problems.",
        more="Without a name, it checks all machines. It changes nothing. The exit status is 1 if a check fails.",
        examples=("machinectl doctor orionbox", "machinectl doctor --here"),
        arguments=(shared.NAMES,),
        flags=(
            shared.TIMEOUT.with_changes(help="Timeout for each step.", limits=(0.1, 86400), default=5),
            Flag("--here", help="Check this computer only.", parameter="only_here"),
            Flag("-v", "--verbose", help="Print the checks that passed, too."),
            shared.JSON,
            *shared.LOGIN,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
    "status": Verb(
        "look.status:status",
        "Print a machine's state.",
        examples=("machinectl status orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
    ),
    "version": Verb(
        "look.status:version",
        "Print an engine's version; without a name, machinectl's.",
        examples=("machinectl version orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
    ),
    "info": Verb(
        "look.info:info",
        "Print details of engines and their hosts.",
        more="Without a name, it prints those of all machines.",
        examples=(
            "machinectl info orionbox",
            "machinectl info --ssh orionbox rigel",
            "machinectl info -f '{{.OperatingSystem}}' orionbox",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--ssh", help="Log in, too: disk, load, free memory, uptime."),
            GO_TEMPLATE,
            shared.TIMEOUT,
            shared.JSON,
            *shared.LOGIN,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
    "inspect": Verb(
        "look.inspect:inspect",
        "Print a machine's record, in docker-machine's format.",
        examples=("machinectl inspect -f '{{.Driver.IPAddress}}' orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(GO_TEMPLATE, Flag("--json", help="Print machinectl's own record as JSON.", parameter="as_json")),
        output=PRINTS,
    ),
    "changes": Verb(
        "look.inspect:changes",
        "List machinectl's changes on a host, and how each is undone.",
        examples=("machinectl changes orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.JSON,),
        output=PRINTS,
    ),
    "api": Verb(
        "look.api:api",
        "Send a request to a machine's engine, and print the raw answer.",
        examples=("machinectl api orionbox /info", "machinectl api orionbox POST '/images/prune'"),
        arguments=(shared.NAME, Argument("request", "[METHOD] PATH", TEXT, many=True, required=True)),
        flags=(
            Flag(
                "-d",
                "--data",
                metavar="JSON|@FILE",
                help="The request's body: JSON, @FILE, or @- for stdin.",
                parameter="body",
            ),
            shared.TIMEOUT.with_changes(default=30),
        ),
        output=PRINTS,
    ),
}
