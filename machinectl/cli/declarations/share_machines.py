"""Declare the verbs that share machines with people and tools."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, Verb

VERBS = {
    "access": Verb(
        "",
        "Give people and tools their own access to machines, and end it.",
        examples=("machinectl access ls",),
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
}
