"""Suggest a command or an option for one that does not exist. Loaded only for errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.catalogue import ALL, GROUPS, VERBS
from machinectl.cli.declarations.synonyms import COMMANDS, DOCKERS, FEWEST_WORDS, FLAGS, NOUNS, SYSTEMDS_VERBS, WITHIN
from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.parsing.create_forms import located_host
from machinectl.cli.parsing.go_flags import canonical, flags_of
from machinectl.cli.typed_words import DASHES, hidden_values, quoted, typed_line, typed_order, words_without_secrets
from machinectl.errors import UsageError, closest_match, elsewhere
from machinectl.machines.selection import MOST_NAMES
from machinectl.machines.store.first_machine import first_step_hint
from machinectl.machines.store.name_errors import list_or_first_steps, missing
from machinectl.url import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.cli.declarations.declared_verb import Verb
    from machinectl.machines.store import Store

# Where a machine's name goes in a synonym, and in a hint.
MACHINE, PLACEHOLDER = "NAME", "<NAME>"
# The host in ssh's -L.
LOCALHOSTS = ("localhost", "127.0.0.1", "[::1]", "")
# Options that are an argument of our verbs.
OPERANDS = ("--file",)
# The values of other programs' `-o`.
FORMATS = ("json", "yaml", "wide", "table", "name", "jsonl")


def check_command(before: Sequence[str], words: Sequence[str], store: Store) -> None:
    """Raises UsageError if the words, canonical from the verb on, do not begin with a command.

    `before` is unknown flags and their values.
    """
    if not words:
        return
    if words[0] not in VERBS and (unknown := [word for word in before if bare_name(word) not in flags_of("")]):
        raise unknown_flag(unknown[0].partition("=")[0])
    if meant := command_meant(words, store):
        typed = " ".join(words[:2]) if words[0] in VERBS else words[0]
        raise UsageError(no_such_command(typed), with_names_hint(f"Did you mean: {NAME} {meant}", store))
    group = GROUPS.get(words[0])
    if words[0] not in VERBS:
        raise unknown_command(words[0], VERBS, "")
    if group and not VERBS[words[0]].runs and len(words) > 1 and not words[1].startswith("-") and words[1] not in group:
        raise unknown_command(words[1], group, f"{words[0]} ")


def bare_name(word: str) -> str:
    return word.partition("=")[0].lstrip("-")


def unknown_flag(flag: str) -> UsageError:
    options = {f"--{long}": takes_value for long, takes_value in flags_of("").values()}
    near = closest_match(flag, options)
    hint = f"Did you mean: {corrected_options(THIS.typed, flag, near, options)}" if near else f"{NAME} --help"
    return UsageError(f"Error: No such option: {flag}", hint)


def no_such_command(word: str, group: str = "") -> str:
    if is_systemds(word, group) and THIS.name == NAME:
        return f"'{word}' is a command of systemd's {NAME}, which is another program"
    return f"Error: No such command '{word}'."


def is_systemds(word: str, group: str) -> bool:
    return not group and word in SYSTEMDS_VERBS.split()


def unknown_command(word: str, verbs: Mapping[str, Verb], group: str) -> UsageError:
    near = closest_match(word, (name for name, verb in verbs.items() if verb.section))
    if not near or is_systemds(word, group):
        return UsageError(no_such_command(word, group), f"List the commands: {NAME} {group}--help")
    return UsageError(no_such_command(word, group), f"Did you mean: {NAME} {group}{near}", mistyped=(word, near))


def check_verb_within(verb: str, names: Sequence[str], store: Store) -> None:
    """Raise NoSuchMachine for a verb after a verb that takes names: `socket list`, `socket lss`, `images rm web`."""
    if not names or store.exists(names[0]):
        return
    first, *others = names
    if ours := WITHIN[verb].get(first):
        raise missing(first, with_names_hint(f"Did you mean: {typed_within(verb, first, ours, others, store)}", store))
    error = store.no_such(first)
    if others or error.mistyped:
        return
    if near := closest_match(first, (each for each, declared in GROUPS.get(verb, {}).items() if declared.section)):
        raise missing(first, f"Did you mean: {NAME} {verb} {near}")
    if verb == "images" and error.hint == list_or_first_steps(store) and store.names():
        raise missing(first, f"List an image: {NAME} images --filter {quoted([f'reference={first}'])}")


def typed_within(verb: str, word: str, ours: str, others: Sequence[str], store: Store) -> str:
    """Return the command line with our command for a verb and the word after it."""
    if MACHINE in ours.split():
        name = next(filter(store.exists, others), "") or only_name(store)
        return f"{NAME} {ours.replace(MACHINE, name)} {typed_line([each for each in others if each != name])}".rstrip()
    words = words_without_secrets(THIS.typed)
    at = words.index(verb)
    before, after = words[:at], words[at + 1 :]
    after.remove(word)
    start = [] if ours.startswith("docker ") else [NAME, *before]
    if not after:
        # `builder du`
        ours = ours.removesuffix(" --builder")
    return " ".join(filter(None, [quoted(start), ours, quoted(after)]))


def command_meant(words: Sequence[str], store: Store) -> str:
    """Return our command line for another program's, or ""."""
    two = " ".join(words[:2])
    if two in COMMANDS:
        return filled(COMMANDS[two], words[2:], store)
    first, *typed = words
    if first in VERBS:
        return ""
    if first == "load":
        return push_of_archive(typed, store)
    if is_dockers(first, typed, store):
        name = next(filter(store.exists, typed), "") or only_name(store)
        return f"docker {name} -- {typed_order([first, *(word for word in typed if word != name)])}"
    if first in COMMANDS:
        return filled(COMMANDS[first], typed, store)
    if store.exists(first):
        # `web1 restart`
        return typed_line([typed[0], first, *typed[1:]]) if typed and typed[0] in VERBS else f"status {first}"
    if first in NOUNS.split() and typed and typed[0] in {*VERBS, *COMMANDS}:
        return command_meant(typed, store) or typed_line(typed)
    return ""


def is_dockers(command: str, typed: Sequence[str], store: Store) -> bool:
    """Return whether a command is docker's. `exec web1 uname` and `logs web1` are about the host."""
    at = next((at for at, word in enumerate(typed, 1) if store.exists(word)), 0)
    if at and command in COMMANDS:
        return DASHES not in typed and len(typed[at:]) >= FEWEST_WORDS.get(command, len(typed))
    return command in DOCKERS.split()


def push_of_archive(typed: Sequence[str], store: Store) -> str:
    """Return the command for docker's `load -i FILE`."""
    words = [word.removeprefix("--input=") for word in typed]
    words = [word for word in words if not word.startswith("-")]
    name = next(filter(store.exists, words), "") or only_name(store)
    file = next((word for word in words if word != name), "-")
    return f"push --from-file {typed_order([file])} <IMAGE> {name}"


def filled(template: str, typed: Sequence[str], store: Store) -> str:
    """Return a synonym's command with what was typed after it, as far as our command has such flags."""
    verb, *rest = template.split()
    while " ".join([verb, *rest[:1]]) in ALL and rest:
        verb = f"{verb} {rest.pop(0)}"
    operands, flags = parted(verb, typed)
    operands = [word for word in operands if word not in NOUNS.split() or store.exists(word)]
    if template.endswith(" --help") and MACHINE not in rest:
        operands = []
    if verb == "create" and not flags and not any("@" in word or "://" in word for word in operands):
        return "create --help"
    if MACHINE in rest:
        name = next(filter(store.exists, operands), next(iter(operands), ""))
        rest[rest.index(MACHINE)] = name or only_name(store)
        operands = [word for word in operands if word != name]
    if verb == "create" and len(operands) == 1 and is_address(located_host(operands[0])):
        operands.append(PLACEHOLDER)
    shown = hidden_values([*verb.split(), *flags, *rest, *operands])
    return " ".join(word if word == PLACEHOLDER else typed_order([word]) for word in shown)


def parted(verb: str, typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the operands, and the flags that our verb has."""
    words = list(typed)
    if ALL[verb].passes_on:
        # The words after the name are another program's.
        while words and words[0].startswith("-"):
            del words[0]
        return words, []
    known = flags_of(verb)
    words = canonical([*verb.split(), *words])[len(verb.split()) :]
    flags = [word for word in words if word.startswith("-")]
    kept = [flag for flag in flags if verb == "create" or flag.partition("=")[0].removeprefix("--") in known]
    return [word for word in words if not word.startswith("-")], kept


def only_name(store: Store) -> str:
    names = store.names()
    return names[0] if len(names) == 1 else PLACEHOLDER


def with_names_hint(hint: str, store: Store) -> str:
    """Add where to find the name that a hint leaves open. Without machines, return how to create the first one."""
    if PLACEHOLDER not in hint or f"{NAME} create " in hint:
        return hint
    names = store.names()
    if not names:
        return first_step_hint()
    where = (
        f"List the machines: {NAME} ls" if len(names) > MOST_NAMES else f"{PLACEHOLDER} is one of: {', '.join(names)}"
    )
    return f"{hint}\n{where}"


def option_meant(verb: str, unknown: str, options: Iterable[str]) -> str | None:
    """Return our option for another program's or a mistyped one; "" if none is needed, None if nothing is near."""
    known = [name for name in options if name.startswith("--")]
    for synonyms in (FLAGS.get(verb, {}), FLAGS[""]):
        ours = synonyms.get(unknown)
        if ours == "" or ours in known:
            return ours
    if not unknown.startswith("--"):
        return None
    # Drivers' options begin with the driver's name.
    of_driver = [name for name in known if name.endswith(unknown[1:])]
    return next(iter(of_driver), "") or closest_match(unknown, known) or None


def whole_line_meant(verb: str, unknown: str, typed: Sequence[str], options: Mapping[str, bool]) -> str:
    """Return a hint for an option of another program that is no option of ours, or ""."""
    if (verb, unknown) == ("create", "--name"):
        return f"Did you mean: {with_name_at_the_end(typed, unknown)}"
    if (verb, unknown) == ("socket rm", "--all"):
        return f"Close all sockets: {NAME} socket rm $({NAME} socket ls -q)"
    if verb == "forward" and unknown in {"-L", "-p", "--publish"}:
        return with_ports_at_the_end(typed, unknown)
    if verb == "forward" and unknown in {"--background", "-d", "--detach", "-f"}:
        return f"Run it in the shell's background: {corrected_options(typed, unknown, '', options)} &"
    if verb.startswith("swarm ") and unknown == "--dry-run":
        names = [word for word in typed if not word.startswith("-") and word not in verb.split()]
        return f"{verb} has no dry run. See the swarm first: {NAME} swarm status {quoted(names[:1])}".rstrip()
    return ""


def request_first(verb: str, words: Sequence[str]) -> str:
    """Return what to type for `access grant WHO NAME`: only WHO can make the key."""
    who, *names = [*(word for word in words if not word.startswith("-")), "", ""][len(verb.split()) :]
    if verb != "access grant" or not names[0]:
        return ""
    request = f"{NAME} access request --for {quoted([who])} {quoted(filter(None, names))}"
    return f"{elsewhere(f'{who} types first, and sends you what it prints: {request}')}\nThen: {NAME} access grant"


def with_ports_at_the_end(typed: Sequence[str], unknown: str) -> str:
    """Write `-L 8085:localhost:80` of ssh and `-p 8085:80` of docker as an operand."""
    words = list(typed)
    at = next(at for at, word in enumerate(words) if word.startswith(unknown))
    joined = words[at].removeprefix(unknown).removeprefix("=")
    ports = " ".join([joined] if joined else words[at + 1 : at + 2]).split(":")
    del words[at : at + 1 + (not joined)]
    if len(ports) > len(("LOCAL", "PORT")) and ports.pop(-2) not in LOCALHOSTS:
        return ""
    return f"Did you mean: {NAME} {typed_line([*words, ':'.join(ports[-2:])])}"


def corrected_options(typed: Sequence[str], unknown: str, ours: str, options: Mapping[str, bool]) -> str:
    """Return the command line with our option, or none, in place of the unknown one."""
    words = list(typed)
    at = position(words, unknown)
    _, equals, value = words[at].partition("=")
    # Hide the value of a mistyped --sudo-password, too.
    meant = ours if unknown.endswith("-file") else ours.removesuffix("-file")
    words[at] = f"{meant or unknown}{equals}{value}"
    words = words_without_secrets(words)
    value = words[at].partition("=")[2]
    if ours and options[ours]:
        words[at] = f"{ours}{equals}{value}"
    else:
        # `-o json`: a switch has no value.
        follows = not equals and " ".join(words[at + 1 : at + 2]) in FORMATS
        # `--file=x`: an argument of ours.
        words[at : at + 1 + follows] = [ours] if ours else [value] if unknown in OPERANDS and value else []
    return f"{NAME} {quoted(words)}"


def with_name_at_the_end(typed: Sequence[str], unknown: str) -> str:
    """Return the command line of `create` with the value of `--name` as its last word."""
    words = list(typed)
    at = position(words, unknown)
    _, equals, value = words[at].partition("=")
    name = [value] if equals else words[at + 1 : at + 2]
    del words[at : at + 1 + (not equals)]
    return f"{NAME} {typed_line(words)} {typed_line(name) or PLACEHOLDER}"


def moved_to_the_front(typed: Sequence[str], unknown: str) -> str:
    """Return the command line with an option of machinectl's own before the verb."""
    words = list(typed)
    at = position(words, unknown)
    _, takes_value = flags_of("")[unknown.lstrip("-")]
    last = at + 1 + (takes_value and "=" not in words[at])
    return f"{NAME} {typed_line([*words[at:last], *words[:at], *words[last:]])}"


def position(words: Sequence[str], option: str) -> int:
    bare = option.lstrip("-")
    return next(at for at, word in enumerate(words) if word.startswith("-") and bare_name(word) == bare)
