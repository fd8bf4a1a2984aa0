"""Run a declared verb, with or without Typer: choose its machines, read its login. Imports nothing heavy.

Without names, --selector or --all, a verb that only looks is for all machines; one that changes or runs something is
for `default`, as in docker-machine, or refuses.
"""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import ALL_MACHINES, LOGIN, PRINTS, WORKS
from machinectl.cli.output.exit_status import debugging, guarded
from machinectl.cli.output.stdio import set_output_kind
from machinectl.cli.parsing.command_line import check_not_empty
from machinectl.errors import LEAVE_ONE_OUT, Hint, MachineError, UsageError
from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, matching, selected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.certs import Pair
    from machinectl.cli.catalogue import Verb
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login


def run_verb(here: Session, declared: Verb, given: dict[str, Any]) -> int:
    """Run a verb, print its errors, return its exit status. `given` is by parameter."""
    kind = declared.output
    if kind == PRINTS and (given.get("write") or given.get("output")):
        kind = WORKS
    elif kind == WORKS and given.get("dry_run"):
        kind = PRINTS
    set_output_kind(kind)
    try:
        if declared.follows and not given.get("dry_run"):
            here.following.catch_up(here.store)
        return guarded(
            lambda: call_verb(here, declared, given), program=here.program, failure_status=declared.failure_status
        )
    finally:
        here.following.follow_answers(here.store)
        if here.following.has_news:
            here.following.report(here.console.warn)


def call_verb(here: Session, declared: Verb, given: dict[str, Any]) -> int | None:
    if declared.refuses_empty:
        check_not_empty(declared.flags, here.arguments)
    lists = [one.parameter for one in declared.arguments if one.many]
    lists += [one.parameter for one in declared.flags if one.many]
    given.update({parameter: [] for parameter in lists if given[parameter] is None})
    if given.get("dry_run"):
        # Print the plan of each machine: a board only shows the work.
        here.console.prints_results = here.console.prints_total = True
        if declared.writes_store:
            from machinectl.machines.store.store_directory import check_store_writable

            # The run itself would be refused.
            check_store_writable(here.store)
    if LOGIN[0] in declared.flags:
        given["login"] = pop_login(given, here)
    if "selector" in given and not declared.keeps_selector:
        everything = ALL_MACHINES in declared.flags and given.pop("everything")
        names = chosen_names(here, given["names"], given.pop("selector"), everything=everything)
        given["names"] = names
        asks = everything and declared.asks_for_all and not (given["yes"] or given["dry_run"])
        if asks:
            from machinectl.console import confirm, decline
            from machinectl.quantities import first_names, plural

            verb, what = declared.runs, f"{plural(len(names), 'machine', 'machines')}: {first_names(names)}"
            if not confirm(here.console, f"{verb.capitalize()} {what}?", f"machinectl {verb} --all -y"):
                decline(here.console, "Nothing was changed")
                return 0
    status: int | None = getattr(sys.modules[declared.module], declared.runs)(here, **given)
    return status


def chosen_names(here: Session, names: Sequence[str], selector: str | None, *, everything: bool) -> list[str]:
    """Return the machines that were chosen, none if nothing was typed."""
    if everything:
        if names or selector is not None:
            raise UsageError("--all, and names or --selector, exclude each other", LEAVE_ONE_OUT)
        if not (found := here.store.names()):
            from machinectl.machines.store.missing_machine import first_steps

            raise MachineError("There is no machine yet", first_steps())
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


def split_at_dashes(here: Session, words: Sequence[str], verb: str) -> tuple[Sequence[str], list[str]]:
    """Return names and command; `words` lack the dashes. Raises UsageError without them."""
    from machinectl.cli.parsing.command_line import CHOOSING, COMMANDS, DASHES

    if DASHES not in here.arguments:
        from machinectl.cli.invocation import NAME, THIS
        from machinectl.cli.parsing.suggestions import PLACEHOLDER, with_names_hint
        from machinectl.cli.typed_words import typed_line

        is_chosen = words or any(word.partition("=")[0] in CHOOSING for word in here.arguments)
        line = " ".join([NAME, typed_line(THIS.typed), *([] if is_chosen else [PLACEHOLDER]), COMMANDS[verb]])
        raise UsageError("The command is missing", with_names_hint(Hint("", line), here.store))
    command = here.arguments[here.arguments.index(DASHES) + 1 :]
    return words[: len(words) - len(command)], command


NO_JUMP = ("", "none")

# A line of a remote file's content (facts.sh): base64 after a bar.
FILE_CONTENT = r"(?m)^\|[A-Za-z0-9+/]{16,}={0,2}$"


def pop_login(options: dict[str, Any], here: Session) -> Login:
    """Build the login, and remove its flags from `options`."""
    from machinectl.hosts.login import Login
    from machinectl.ssh.keys.credentials import Credentials

    passphrase, password, sudo_password = (
        read_login_secret(options.pop(each.parameter), each.flag, here.passwords.get(each.variable), here.console)
        for each in LOGIN_SECRETS
    )

    def trace(text: str) -> None:
        import re

        from machinectl.masking import without_secrets_in_lines

        # Host files hold passwords, too.
        here.console.note(without_secrets_in_lines(re.sub(FILE_CONTENT, "|…", text)))

    return Login(
        Credentials(passphrase=passphrase, password=password, sudo_password=sudo_password),
        host_key=options.pop(HOST_KEY.parameter),
        strict=options.pop(STRICT.parameter),
        trace=trace if debugging() else None,
    )


def read_login_secret(path: str, flag: str, variable: str | None, console: Console) -> str | None:
    """Return the file's content, else the variable's value."""
    if not path:
        return variable or None
    from machinectl.files.user_files import is_exposed, read_secret

    if is_exposed(path):
        console.warn(f"{flag}: others can read {path}; keep them out: chmod 600 {path}")
    return read_secret(path, flag)


def parse_jump(text: str | None) -> str | None:
    """Return --ssh-jump for the record: "none" becomes "", as for ProxyJump."""
    return "" if text is not None and text.strip().lower() in NO_JUMP else text


def given_authority(here: Session) -> Pair | None:
    if not here.tls.ca_key:
        return None
    # Imported here: it loads cryptography.
    from machinectl.hosts.certificate_files import given_ca

    return given_ca(here.tls.ca, here.tls.ca_key)
