"""Declare the verbs that share machines with people and tools."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.machines.flags import TEXT, Flag

WHO = Argument("who", "WHO", TEXT, required=True, help="A holder of `machinectl access ls`.")

VERBS = {
    "access": Verb(
        "",
        "Give people and tools their own access to machines, and end it.",
        examples=("machinectl access ls", "machinectl access end alice orionbox"),
    ),
    "access ls": Verb(
        "share.access:access_ls",
        "List who has access to machines, and until when.",
        more="Without names, it lists all machines. It reads this computer's records and contacts no host.",
        examples=("machinectl access ls", "machinectl access ls orionbox", "machinectl access ls -l role=web --json"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, shared.JSON),
        output=PRINTS,
    ),
    "access end": Verb(
        "share.access:access_end",
        "End a holder's access to machines, at once.",
        more=(
            "Each engine restarts once; containers keep running. Engines in use restart one after the other. "
            "A host that is off is finished by the same command later, or by `machinectl provision`."
        ),
        examples=(
            "machinectl access end alice orionbox",
            "machinectl access end dozzle --all",
            "machinectl access end --dry-run alice orionbox",
        ),
        arguments=(WHO, shared.NAMES),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="All machines that the holder has access to.", parameter="everything"),
            Flag("-y", "--yes", help="Do not ask."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *shared.LOGIN,
        ),
        keeps_selector=True,
    ),
}
