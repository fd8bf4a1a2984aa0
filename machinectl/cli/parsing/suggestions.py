"""Suggest a command or an option for one that does not exist. Loaded only for errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.catalogue import GROUPS, VERBS
from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.parsing.go_flags import flags_of
from machinectl.cli.typed_words import quoted, typed_line, typed_order, words_without_secrets
from machinectl.errors import NO_HINT, Hint, UsageError, closest_match
from machinectl.machines.selection import MOST_NAMES
from machinectl.machines.store.missing_machine import first_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.cli.catalogue import Verb
    from machinectl.machines.store import Store

# Our commands, and other programs' names for them. In a group, only the last word counts: `socket remove`.
SAME = {
    "start": "up",
    "stop": "down halt poweroff shutdown",
    "restart": "reboot",
    "create": "add launch new",
    "rm": "delete destroy remove",
    "rm --purge": "purge",
    "rename": "mv",
    "ls": "get list",
    "inspect": "describe",
    "ssh": "connect login shell",
    "scp": "copy cp",
    "forward": "port-forward tunnel",
    "mount -u": "umount unmount",
    "use": "switch use-context",
    "access grant": "grant",
    "access end": "revoke",
    "apply": "deploy",
    "discover": "scan",
    "upgrade": "update",
}
# docker's commands that work on an engine.
DOCKERS = (
    "attach build buildx commit container events exec history image load logs network pause "
    "port rmi save search service stack stats system tag top unpause volume wait"
)
COMMANDS = {
    **{word: ours for ours, words in SAME.items() for word in words.split()},
    **{word: f"docker <NAME> -- {word}" for word in DOCKERS.split()},
}
PLACEHOLDER = "<NAME>"


def check_command(before: Sequence[str], words: Sequence[str], store: Store) -> None:
    """Raises UsageError if the words, canonical from the verb on, do not begin with a command.

    `before` is unknown flags and their values.
    """
    verb, *rest = words or [""]
    if verb and verb not in VERBS:
        known = flags_of("")
        if unknown := [word.partition("=")[0] for word in before if bare_name(word) not in known]:
            options = {f"--{long}": takes_value for long, takes_value in known.values()}
            hint = option_meant(unknown[0], options) or Hint("", f"{NAME} --help")
            raise UsageError(f"No such option: {unknown[0]}", hint)
        raise unknown_command(verb, VERBS, "", store)
    group = GROUPS.get(verb, {})
    if group and not VERBS[verb].runs and rest and not rest[0].startswith("-") and rest[0] not in group:
        raise unknown_command(rest[0], group, verb, store)


def bare_name(word: str) -> str:
    return word.partition("=")[0].lstrip("-")


def unknown_command(word: str, verbs: Mapping[str, Verb], group: str, store: Store) -> UsageError:
    """Return an error with what was typed, with our command for another program's or for a mistyped one."""
    ours = COMMANDS.get(word, "").replace(PLACEHOLDER, only_name(store)).split()
    if not ours or (group and ours[-1] not in verbs):
        ours = [closest_match(word, (name for name, verb in verbs.items() if verb.section))]
    at = THIS.typed.index(word)
    if ours[0]:
        line = [*THIS.typed[:at], *(ours[-1:] if group else ours), *THIS.typed[at + 1 :]]
        hint = with_names_hint(Hint("Did you mean", f"{NAME} {typed_order(line)}"), store)
    else:
        hint = Hint("List the commands", f"{NAME} {f'{group} --help' if group else 'help all'}")
    return UsageError(f"No such command '{word}'.", hint)


def only_name(store: Store) -> str:
    names = store.names()
    return names[0] if len(names) == 1 else PLACEHOLDER


def with_names_hint(hint: Hint, store: Store) -> Hint:
    """Add where to find the name that a hint leaves open. Without machines, return how to create the first one."""
    if not any(PLACEHOLDER in command and f"{NAME} create " not in command for _, command, _ in hint.parts):
        return hint
    names = store.names()
    if not names:
        return first_steps()
    if len(names) > MOST_NAMES:
        return hint | Hint("list the machines", f"{NAME} ls")
    return hint | Hint(f"{PLACEHOLDER} is one of {', '.join(names)}")


def option_meant(unknown: str, options: Mapping[str, bool]) -> Hint:
    """Return the command line with our option for a mistyped one. `options`: whether each takes a value."""
    known = [name for name in options if name.startswith("--")]
    ending = [name for name in known if name.endswith(unknown[1:])] if unknown.startswith("--") else []
    # docker-machine's options begin with the driver's name: --generic-ssh-prt.
    without_driver = f"--{unknown[2:].partition('-')[2]}"
    ours = min(ending, key=len, default="") or closest_match(unknown, known) or closest_match(without_driver, known)
    is_meant = ours and unknown.startswith("--")
    return Hint("Did you mean", corrected_options(unknown, ours, takes_value=options[ours])) if is_meant else NO_HINT


def corrected_options(unknown: str, ours: str, *, takes_value: bool) -> str:
    """Return the command line with our option in place of the unknown one."""
    words = list(THIS.typed)
    at = position(words, unknown)
    _, equals, value = words[at].partition("=")
    # Hide the value of a mistyped --sudo-password, too.
    meant = ours if unknown.endswith("-file") else ours.removesuffix("-file")
    words[at] = f"{meant}{equals}{value}"
    words = words_without_secrets(words)
    value = words[at].partition("=")[2]
    words[at] = f"{ours}{equals}{value}" if takes_value else ours
    return f"{NAME} {quoted(words)}"


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
