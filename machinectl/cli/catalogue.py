"""Classes that declare verbs, and the verbs by name. Light path: import only the module of the verb."""

from __future__ import annotations

import os
import sys

from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.machines.flags import DIRECTORY, FILE, Flag
from machinectl.value_classes import Mutable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


# A verb's kind. It decides which broken stream ends the verb early: none, stdout, or either.
WORKS, PRINTS, RELAYS = "works", "prints", "relays"


class Argument:
    """A verb's words besides its flags, passed as `parameter`, as a list if `many`.

    `values` are the kinds that completion offers in turn, or tuples of words; the last one again if it `repeats`.
    """

    def __init__(
        self,
        parameter: str,
        metavar: str,
        *values: str | tuple[str, ...],
        many: bool = False,
        repeats: bool = False,
        required: bool = False,
        help: str = "",  # noqa: A002 (the usual name)
    ) -> None:
        self.parameter = parameter
        self.metavar = metavar
        self.values = values
        self.many = many
        self.repeats = repeats
        self.required = required
        self.help = help


class Verb(Mutable):
    """A verb, or a group if `runs` is empty, or both: `socket ls` is not about a machine named ls.

    `runs` is a function of its module, called with the Session and a keyword per argument and flag: `login` for the
    login flags, `names` with --selector's machines unless it `keeps_selector`.
    """

    runs: str
    more: str = ""
    examples: Sequence[str] = ()
    arguments: Sequence[Argument] = ()
    # How --help writes the arguments, if there is more than one way.
    forms: Sequence[str] = ()
    flags: Sequence[Flag] = ()
    # What --help shows of the options until a driver is named, if not all; and where the others are.
    typed: Sequence[tuple[str, str]] = ()
    all_options: str = ""
    output: str = WORKS
    hidden: bool = False
    keeps_selector: bool = False
    # Whether --all asks, without -y.
    asks_for_all: bool = False
    # Whether all words after the first one go to another program.
    passes_on: bool = False
    # Whether to update STORE/ssh_config first. Verbs of shell start-up skip it to be fast.
    follows: bool = True
    # Whether no flag may be "": a script with an unset variable would get a default that it did not mean.
    refuses_empty: bool = False
    # The exit status of its failures, 0 for each error's own.
    failure_status: int = 0
    # Whether a dry run fails if the store cannot be written.
    writes_store: bool = True
    # Set by the catalogue: its section in --help ("" if hidden), its module, what it does, the verbs of a group.
    section: str = ""
    module: str = ""
    summary: str = ""
    verbs: frozenset[str] = frozenset()


BEFORE_THE_VERB = (
    Flag(
        "-s",
        "--storage-path",
        metavar="DIR",
        help="The store's directory (else $MACHINE_STORAGE_PATH).",
        value=DIRECTORY,
    ),
    Flag("-D", "--debug", help="Show remote commands with their output, and tracebacks of bugs."),
    Flag("--native-ssh", hidden=True),
    # docker-machine's scripts pass these; machinectl fetches nothing from GitHub and reports no crashes.
    Flag("--github-api-token", metavar="TEXT", hidden=True),
    Flag("--bugsnag-api-token", metavar="TEXT", hidden=True),
    Flag("--tls-ca-cert", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CA_CERT"),
    Flag("--tls-ca-key", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CA_KEY"),
    Flag("--tls-client-cert", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CLIENT_CERT"),
    Flag("--tls-client-key", metavar="TEXT", value=FILE, hidden=True, variable="MACHINE_TLS_CLIENT_KEY"),
    Flag("-v", "--version", help="Print the version.", parameter="show_version"),
)

LOGIN = (*LOGIN_SECRETS, HOST_KEY, STRICT)
ALL_MACHINES = Flag("-a", "--all", help="All machines.", parameter="everything")


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
