"""Find verbs in their declarations. Light path: import only the module of the verb."""

from __future__ import annotations

import os
import sys

from machinectl.cli.declared_verb import BEFORE_THE_VERB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from machinectl.cli.declared_verb import Verb
    from machinectl.machines.flags import Flag

ABOUT = "Make servers Docker hosts, and point the docker CLI at one of them."
# Its layer is above ours, so look it up by name and do not import it.
PACKAGE = "machinectl.verbs"


def package() -> Any:
    __import__(PACKAGE)
    return sys.modules[PACKAGE]


def listed_verbs() -> dict[str, tuple[str, str, str]]:
    """Return section, module and summary of each verb whose module exists, in the order of `--help`."""
    verbs = package()
    existing = {name.partition(".")[0] for place in verbs.__path__ for name in os.listdir(place)}
    return {
        name: (section, module, summary)
        for section, members in verbs.SECTIONS.items()
        for name, (module, summary) in members.items()
        if module in existing
    }


LISTED = listed_verbs()
# Also the verbs of features that were taken out.
NAMED = {verb for members in package().SECTIONS.values() for verb in members}
SECTIONS = tuple(dict.fromkeys(section for section, _, _ in LISTED.values() if section))
COMMON = SECTIONS[0]

# Built at first use, because that imports all declarations: ALL has keys like `certs ls`, VERBS only top-level verbs.
ALL: dict[str, Verb]
VERBS: dict[str, Verb]
GROUPS: dict[str, dict[str, Verb]]


def __getattr__(name: str) -> Any:
    if name not in {"ALL", "VERBS", "GROUPS"}:
        raise AttributeError(name)
    everything = {verb: declared for verb in LISTED if (declared := find_verb(verb))}
    groups: dict[str, dict[str, Verb]] = {}
    for verb, declared in everything.items():
        group, _, last = verb.rpartition(" ")
        if group:
            groups.setdefault(group, {})[last] = declared
    top = {verb: declared for verb, declared in everything.items() if " " not in verb}
    globals().update(ALL=everything, VERBS=top, GROUPS=groups)
    return globals()[name]


def find_verb(verb: str) -> Verb | None:
    if verb not in LISTED:
        return None
    section, module, summary = LISTED[verb]
    path = f"{PACKAGE}.{module}"
    __import__(path)
    declared: Verb = sys.modules[path].VERBS[verb]
    declared.section, declared.module, declared.summary = section, path, summary
    declared.verbs = members(verb)
    return declared


def members(group: str) -> frozenset[str]:
    """Return the words that name the verbs of a group."""
    start = f"{group} "
    return frozenset(verb.removeprefix(start) for verb in LISTED if verb.startswith(start))


def section_verbs(section: str) -> Iterable[tuple[str, str]]:
    """Return the verbs of a section of `--help` with their summaries, in order."""
    return ((verb, told[2]) for verb, told in LISTED.items() if told[0] == section and " " not in verb)


def group_verbs() -> Iterable[tuple[str, str]]:
    named = (verb.rpartition(" ") for verb, told in LISTED.items() if told[0])
    return ((group, last) for group, _, last in named if group)


def flags_of_verb(verb: str) -> Sequence[Flag]:
    """Return the flags of a verb; "" means those before the verb."""
    if not verb:
        return BEFORE_THE_VERB
    declared = find_verb(verb)
    return declared.flags if declared else ()


def examples_of(verb: str) -> Sequence[str]:
    declared = find_verb(verb)
    return declared.examples if declared else ()


# What `help` explains besides commands.
TOPICS: Mapping[str, str] = {
    "all": "All commands, and the options before them.",
    "ssh-options": "Options of the commands that log in to hosts.",
}
OPTIONS = (
    *((f"{', '.join(flag.names)} {flag.metavar}".strip(), flag.help) for flag in BEFORE_THE_VERB if not flag.hidden),
    ("-h, --help", "Show this help, or that of a command."),
)
