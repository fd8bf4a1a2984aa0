"""Choose machines by name, --selector or --all: the rule for all verbs.

Without any, a verb that only looks is for all machines; one that changes or runs something is for `default`, as in
docker-machine, or refuses. Imports nothing heavy.
"""

from __future__ import annotations

from machinectl.errors import LEAVE_ONE_OUT, Hint, MachineError, UsageError
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, matching, selected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session


def chosen_names(here: Session, names: Sequence[str], selector: str | None, *, everything: bool) -> list[str]:
    """Return the machines that were chosen, none if nothing was typed."""
    if everything:
        if names or selector is not None:
            raise UsageError("--all, and names or --selector, exclude each other", LEAVE_ONE_OUT)
        if not (found := here.store.names()):
            from machinectl.machines.store.missing_machine import first_step_hint

            raise MachineError("There is no machine yet", first_step_hint())
        return list(found)
    if selector is not None:
        return list(selected(here.store, here.console, names, selector))
    return matching(names, here.store.names)


def target_names(here: Session, names: Sequence[str], selector: str | None, *, everything: bool) -> list[str]:
    """Return the chosen machines in natural order, else `default`."""
    found = chosen_names(here, names, selector, everything=everything)
    try:
        found = found or chosen(here.store, ())
    except MachineError as exc:
        if here.store.names():
            exc.hint |= Hint("or pass --all or -l <SELECTOR>")
        raise
    return sorted(set(found), key=lambda name: (natural(name), name))


def agrees_to_all(here: Session, verb: str, names: Sequence[str]) -> bool:
    """Ask before a verb stops what runs on all machines. Raises Unanswered if nobody can be asked."""
    from machinectl.console import confirm, decline
    from machinectl.quantities import first_names, plural

    what = f"{plural(len(names), 'machine', 'machines')}: {first_names(names)}"
    if confirm(here.console, f"{verb.capitalize()} {what}?", f"machinectl {verb} --all -y"):
        return True
    decline(here.console, "Nothing was changed")
    return False


def split_at_dashes(here: Session, words: Sequence[str], verb: str) -> tuple[Sequence[str], list[str]]:
    """Return names and command; `words` lack the dashes. Raises UsageError without them."""
    from machinectl.cli.parsing.command_start import CHOOSING, COMMANDS, DASHES

    if DASHES not in here.arguments:
        from machinectl.cli.invocation import NAME, THIS
        from machinectl.cli.parsing.suggestions import PLACEHOLDER, with_names_hint
        from machinectl.cli.typed_words import typed_line

        is_chosen = words or any(word.partition("=")[0] in CHOOSING for word in here.arguments)
        line = " ".join([NAME, typed_line(THIS.typed), *([] if is_chosen else [PLACEHOLDER]), COMMANDS[verb]])
        raise UsageError("The command is missing", with_names_hint(Hint("", line), here.store))
    command = here.arguments[here.arguments.index(DASHES) + 1 :]
    return words[: len(words) - len(command)], command
