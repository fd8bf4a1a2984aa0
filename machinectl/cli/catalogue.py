"""Find verbs in their declarations. Light path: import only the module that declares the verb."""

from __future__ import annotations

import sys

from machinectl.cli.declarations.shared_flags import BEFORE_THE_VERB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from machinectl.cli.declarations.declared_verb import Verb
    from machinectl.machines.flags import Flag

ABOUT = "Make servers Docker hosts, and point the docker CLI at one of them."
# Sections of `--help` by the module of cli.declarations that declares their verbs.
DECLARED = {
    "Use a machine": "use_a_machine",
    "Manage machines": "make_machines",
    "Maintain hosts": "look_after_hosts",
    "Inspect machines": "look_closer",
    "Many machines at once": "many_machines",
    "Share machines": "share_machines",
}
COMMON, PLUMBING = "Common commands", "For shells, scripts and other tools"
# Verbs that `--help` lists in another section than their module's, in order.
PICKED = {
    COMMON: (
        *("create", "ls", "env", "use", "ssh", "scp", "run", "docker", "ps", "push"),
        *("doctor", "provision", "upgrade", "apply", "rm"),
    ),
    PLUMBING: ("config", "api", "inventory", "ssh-config", "shell-init", "completion", "docker-plugin"),
}
SECTION_OF = {name: section for section, names in PICKED.items() for name in names}
SECTIONS = (COMMON, *DECLARED, PLUMBING)

# Built at first use, because that imports all declarations.
ALL: dict[str, Verb]
VERBS: dict[str, Verb]
GROUPS: dict[str, dict[str, Verb]]
# The verbs of each section that was asked for.
IMPORTED: dict[str, dict[str, Verb]] = {}


def __getattr__(name: str) -> Any:
    """Build ALL (with keys like `certs ls`), VERBS (only top-level verbs) and GROUPS."""
    if name not in {"ALL", "VERBS", "GROUPS"}:
        raise AttributeError(name)
    everything = {verb: declared for section in DECLARED for verb, declared in declared_in(section).items()}
    groups: dict[str, dict[str, Verb]] = {}
    for verb, declared in everything.items():
        group, _, last = verb.rpartition(" ")
        if group:
            groups.setdefault(group, {})[last] = declared
    top = {verb: declared for verb, declared in everything.items() if " " not in verb}
    globals().update(ALL=everything, VERBS=top, GROUPS=groups)
    return globals()[name]


def declared_in(section: str) -> dict[str, Verb]:
    if section in IMPORTED:
        return IMPORTED[section]
    path = f"machinectl.cli.declarations.{DECLARED[section]}"
    __import__(path)
    verbs: dict[str, Verb] = sys.modules[path].VERBS
    for name, declared in verbs.items():
        declared.section = "" if declared.hidden else SECTION_OF.get(name, section)
        group, _, own = name.rpartition(" ")
        if group:
            verbs[group].verbs.add(own)
    IMPORTED[section] = verbs
    return verbs


def find_verb(verb: str) -> Verb | None:
    return next((verbs[verb] for verbs in map(declared_in, DECLARED) if verb in verbs), None)


def section_verbs(section: str) -> Iterable[tuple[str, str]]:
    """Return the verbs of a section of `--help` with their summaries, in order."""
    verbs: dict[str, Verb] = sys.modules[__name__].VERBS
    names = PICKED.get(section) or [name for name, declared in verbs.items() if declared.section == section]
    return ((name, verbs[name].summary) for name in names)


def group_verbs() -> Iterable[tuple[str, str]]:
    groups = __getattr__("GROUPS").items()
    return ((group, name) for group, verbs in groups for name, verb in verbs.items() if not verb.hidden)


def flags_of_verb(verb: str) -> Sequence[Flag]:
    """Return the flags of a verb; "" means those before the verb."""
    if not verb:
        return BEFORE_THE_VERB
    declared = find_verb(verb)
    return declared.flags if declared else ()


# What `help` explains besides commands.
TOPICS = {
    "all": "All commands, and the options before them.",
    "ssh-options": "Options of the commands that log in to hosts.",
}
OPTIONS = (
    *((f"{', '.join(flag.names)} {flag.metavar}".strip(), flag.help) for flag in BEFORE_THE_VERB if not flag.hidden),
    ("-h, --help", "Show this help, or that of a command."),
)
