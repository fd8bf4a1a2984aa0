"""All verbs by their names, from their declarations. Part of the light path: a command line loads only its own verb."""

from __future__ import annotations

from machinectl.cli.declarations import (
    look_after_hosts,
    look_closer,
    make_machines,
    many_machines,
    use_a_machine,
)
from machinectl.cli.declarations.shared_flags import BEFORE_THE_VERB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.cli.declarations.declared_verb import Verb
    from machinectl.machines.flags import Flag

ABOUT = "Make servers Docker hosts, and point the docker CLI at one of them."
# In the order in which `--help` has them.
SECTIONS = {
    "Use a machine": use_a_machine,
    "Make and change machines": make_machines,
    "Look after their hosts": look_after_hosts,
    "Look closer": look_closer,
    "Many machines at once": many_machines,
}
# Every verb; one of a group has the group's name in front: `certs ls`.
ALL: dict[str, Verb] = {}
# Those that are typed alone or name a group, and the verbs of each group.
VERBS: dict[str, Verb] = {}
GROUPS: dict[str, dict[str, Verb]] = {}

for _section, _module in SECTIONS.items():
    for _name, _verb in _module.VERBS.items():
        _verb.section = "" if _verb.hidden else _section
        ALL[_name] = _verb
        _group, _, _last = _name.rpartition(" ")
        if _group:
            GROUPS.setdefault(_group, {})[_last] = _verb
        else:
            VERBS[_name] = _verb


def of_section(section: str) -> Iterable[tuple[str, str]]:
    """The verbs of a section, with what each is for."""
    return ((name, verb.summary) for name, verb in VERBS.items() if verb.section == section)


def of_groups() -> Iterable[tuple[str, str]]:
    """The verbs that are verbs of a group's, each after its group's name."""
    return ((group, name) for group, own in GROUPS.items() for name in own)


def flags_of_verb(verb: str) -> Sequence[Flag]:
    """The flags of a verb, or "" for those before the verb."""
    if not verb:
        return BEFORE_THE_VERB
    return ALL[verb].flags if verb in ALL else ()


OPTIONS = (
    *((f"{', '.join(flag.names)} {flag.metavar}".strip(), flag.help) for flag in BEFORE_THE_VERB if not flag.hidden),
    ("-h, --help", "Show this, or with a command its help."),
)
