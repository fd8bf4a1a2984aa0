"""Complete a command line for our shell scripts and docker's, by cobra's protocol (spf13/cobra completions.go).

Output: candidates as NAME, tab, DESCRIPTION; then `:` and the shell's directive. Light: it runs at each Tab.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from machinectl.cli.catalogue import ALL, GROUPS, TOPICS, VERBS, flags_of_verb
from machinectl.cli.parsing.command_line import COMMANDS, driver_flag
from machinectl.cli.parsing.go_flags import WITH_DRIVER_OPTIONS, is_group
from machinectl.cli.parsing.shell_snippets import SHELLS
from machinectl.errors import MachineError
from machinectl.machines.flags import (
    ASKED,
    CONTAINER,
    DIRECTORY,
    DRIVER,
    FILE,
    HOLDER,
    LABEL,
    MACHINE,
    PLACE,
    REMOTE,
    SHELL,
    Flag,
)
from machinectl.machines.holders import holders_of
from machinectl.machines.record import natural
from machinectl.machines.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from machinectl.machines.record import Machine

    # Candidates with their descriptions, and cobra's ShellCompDirective.
    Offer = tuple[Mapping[str, str], int]

# cobra's ShellCompDirective: files, too; no files; only directories; no space after.
FILES, NOTHING_ELSE, DIRECTORIES, NO_BLANK = 0, 4, 16, 2
# After two dashes they take another program's command line.
ORDERS = ("run", "docker", "compose", "socket")
HELP = Flag("-h", "--help", help="Show help.")
# Selectors and names that no shell changes.
UNQUOTED = r"[A-Za-z0-9][A-Za-z0-9=._/-]*"
UNQUOTED_NAME = r"[A-Za-z0-9][A-Za-z0-9@:._/+-]*"
# Seconds that a Tab may take.
PATIENCE = 2.0


def verb_summaries(group: str = "") -> dict[str, str]:
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def driver_names() -> list[str]:
    """Return the drivers' names without loading them."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """Return a driver's flags, or none if it is missing or fails to load."""
    from machinectl.driver.installed_drivers import load

    try:
        options = load(driver).options()
    except MachineError:
        return []
    return [driver_flag(driver, option).with_changes(help=option.help) for option in options]


def stored_machines(root: str) -> list[str]:
    """Return a store's machines, none if it cannot be read."""
    try:
        return Store(root).names()
    except MachineError:
        return []


def records(root: str) -> Iterator[Machine]:
    store = Store(root)
    for name in stored_machines(root):
        with suppress(MachineError):
            yield store.read(name)


class TypedWords:
    """The command line before the word to complete.

    `verb` is the verb so far, `words` its arguments, `values` flags' values by long name, `open` the flag whose value
    comes next. After `--` no word is a flag.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.verb = ""
        self.words: list[str] = []
        self.values: dict[str, str] = {}
        self.open: Flag | None = None
        self.only_words = False
        for word in words:
            self.take(word)

    def take(self, word: str) -> None:
        if self.open:
            self.values[self.open.names[-1]] = word
            self.open = None
        elif word == "--":
            self.only_words = True
        elif word.startswith("-") and word != "-" and not self.only_words:
            name, equals, value = word.partition("=")
            flag = self.flag(name)
            if flag and equals:
                self.values[flag.names[-1]] = value
            elif flag and flag.offers:
                self.open = flag
        elif not self.words and is_group(self.verb, word):
            self.verb = f"{self.verb} {word}".strip()
        else:
            self.words.append(word)
            # The command follows the names of machines.
            self.only_words |= self.verb in COMMANDS and word not in stored_machines(self.root)

    @property
    def root(self) -> str:
        return os.path.expanduser(self.values.get("--storage-path", ""))

    def flags(self) -> list[Flag]:
        """Return the flags of the verb, with those of the named driver, or of all drivers if none is named."""
        own = [*(flag for flag in flags_of_verb(self.verb) if not flag.hidden), HELP]
        if self.verb not in WITH_DRIVER_OPTIONS:
            return own
        typed = self.values.get("--driver") or os.environ.get("MACHINE_DRIVER", "")
        drivers = [typed] if typed and self.verb == "create" else driver_names()
        return [*(flag for driver in drivers for flag in driver_flags(driver)), *own]

    def flag(self, name: str) -> Flag | None:
        """Return a flag; like Go, accept one dash for two."""
        return next((flag for flag in self.flags() if {name, f"-{name}"}.intersection(flag.all_names)), None)


def cobra_lines(words: Sequence[str]) -> str:
    """Return cobra's lines for the last of `words`, which follow `docker machine`."""
    *before, word = words or [""]
    typed = TypedWords(before)
    if typed.open is None and "=" in word and word.startswith("-") and not typed.only_words:
        name, _, word = word.partition("=")
        typed.open = typed.flag(name)
    offered, directive = candidates(typed, word)
    lines = [f"{name}\t{about}" if about else name for name, about in offered.items() if name.startswith(word)]
    return "".join(f"{line}\n" for line in [*lines, f":{directive}"])


def candidates(typed: TypedWords, word: str) -> Offer:
    if typed.open:
        return value_candidates(typed, typed.open.offers, word)
    # Words after the machine's name go to the host.
    if word.startswith("-") and not typed.only_words and not (typed.verb == "ssh" and typed.words):
        return {name: flag.help for flag in typed.flags() for name in flag.all_names}, NOTHING_ELSE
    if typed.verb == "help":
        return ({} if typed.words else {**verb_summaries(), **TOPICS}), NOTHING_ELSE
    if is_group(typed.verb):
        return verb_summaries(typed.verb), NOTHING_ELSE
    if typed.only_words and typed.verb in ORDERS:
        # The command's own arguments are unknown here.
        return {}, FILES
    declared = ALL[typed.verb].arguments if typed.verb in ALL else ()
    kinds = [value for argument in declared for value in argument.values]
    at = min(len(typed.words), len(kinds) - 1) if any(argument.repeats for argument in declared) else len(typed.words)
    offered, directive = value_candidates(typed, kinds[at], word) if at < len(kinds) else ({}, NOTHING_ELSE)
    has_verbs = not typed.words and not typed.only_words and typed.verb in GROUPS
    return ({**verb_summaries(typed.verb), **offered} if has_verbs else offered), directive


def value_candidates(typed: TypedWords, kind: str | tuple[str, ...], word: str) -> Offer:
    if kind in {FILE, DIRECTORY}:
        return {}, FILES if kind == FILE else DIRECTORIES
    if kind in {PLACE, REMOTE}:
        return place_candidates(typed, word, NOTHING_ELSE if kind == REMOTE else FILES)
    if kind == LABEL:
        # After the selectors that are complete.
        before = word[: word.rfind(",") + 1]
        return dict.fromkeys((f"{before}{label}" for label in label_selectors(typed.root)), ""), NO_BLANK | NOTHING_ELSE
    return dict.fromkeys(values_of(kind, typed), ""), NOTHING_ELSE


def values_of(kind: str | tuple[str, ...], typed: TypedWords) -> Iterable[str]:
    if isinstance(kind, tuple):
        return kind
    if kind == HOLDER:
        holders = {holder.who for machine in records(typed.root) for holder in holders_of(machine)}
        return sorted((who for who in holders if re.fullmatch(UNQUOTED_NAME, who)), key=natural)
    if kind == DRIVER:
        return driver_names()
    if kind == SHELL:
        return SHELLS
    names: Sequence[str] = ()
    if kind == MACHINE:
        names = stored_machines(typed.root)
    elif kind in ASKED:
        names = asked_names(kind, typed.root, typed.values.get("--from") or next(iter(typed.words), ""))
    return [name for name in names if name not in typed.words]


def label_selectors(root: str) -> list[str]:
    """Return selectors, KEY and KEY=VALUE, for all labels that a shell leaves unchanged."""
    labels = [label for machine in records(root) for label in machine.labels.items()]
    selectors = {word for key, value in labels for word in (key, f"{key}={value}")}
    return sorted(word for word in selectors if re.fullmatch(UNQUOTED, word))


def asked_names(kind: str, root: str, machine: str) -> list[str]:
    """Return names of a kind, none if nobody answers. Without a machine, images are those of docker's engine."""
    from machinectl.engine import EngineQuery, probe_by
    from machinectl.engine.docker_context import current_engine
    from machinectl.engine.endpoint import Deadline
    from machinectl.json_values import as_dict, as_list, as_text
    from machinectl.machines.machine_driver import endpoint_of

    store = Store(root)
    try:
        engine = endpoint_of(store.read_ready(machine)) if machine else current_engine(os.environ)
        path, field = ("/containers/json?all=1", "Names") if kind == CONTAINER else ("/images/json", "RepoTags")
        answer = as_list(probe_by(engine, Deadline(PATIENCE), EngineQuery(path, list)).told)
    except MachineError:
        return []
    names = {as_text(name).removeprefix("/") for row in answer for name in as_list(as_dict(row).get(field))}
    return sorted(name for name in names if re.fullmatch(UNQUOTED_NAME, name))


def place_candidates(typed: TypedWords, word: str, otherwise: int) -> Offer:
    """Return `[USER@]MACHINE:` for each machine, with files or not as `otherwise` says.

    Hosts' paths are unknown. A colon after a slash belongs to a local path.
    """
    before, colon, _ = word.partition(":")
    if colon and "/" not in before:
        return {}, NOTHING_ELSE
    user = word[: word.rfind("@") + 1]
    places = [f"{user}{name}:" for name in stored_machines(typed.root)]
    is_place = any(place.startswith(word) for place in places)
    return dict.fromkeys(places if is_place else (), ""), otherwise | (NO_BLANK if is_place else 0)
