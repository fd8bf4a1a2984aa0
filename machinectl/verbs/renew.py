"""The verb `renew`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import called_text
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import LEAVE_ONE_OUT, Hint, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "renew": Verb(
        "renew",
        more=(
            "With --due, it renews what has less than a third of its lifetime left, on all machines or the named ones, "
            "and asks nothing. Without, it makes new certificates now, as `regenerate-certs --client-certs` does. "
            "An engine restarts for a new server certificate; containers keep running."
        ),
        examples=("machinectl renew --due", "machinectl renew --install-timer", "machinectl renew orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--due", help="Renew only what is due; never ask."),
            Flag(
                "--lifetime-left",
                metavar="SHARE|TIME",
                help="Renew certificates with less than this share of their lifetime, or this time, left "
                "(1/3, 30%, 30d, 12h).",
            ),
            Flag("--install-timer", help="Run `renew --due` daily from now on, with the other options given."),
            Flag("--uninstall-timer", help="Remove the timer."),
            Flag("-y", "--yes", help="Do not ask (--due never does)."),
            shared.DRY_RUN,
            shared.JSON_LINES,
            *LOGIN,
            *shared.CHOICE,
        ),
        refuses_empty=True,
    ),
}


def renew(
    here: Session,
    *,
    names: list[str],
    login: Login,
    due: bool,
    lifetime_left: str,
    install_timer: bool,
    uninstall_timer: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    from machinectl.cli.tables.results import report_results
    from machinectl.renewal.due_renewal import LifetimeLeft, renew_due_certificates, result_fields

    window = LifetimeLeft.parse(lifetime_left)
    if install_timer or uninstall_timer:
        if due or (install_timer and uninstall_timer):
            raise UsageError("--due, --install-timer and --uninstall-timer exclude each other", LEAVE_ONE_OUT)
        if dry_run:
            raise UsageError("The timer has no dry run", Hint("See what is due", "machinectl renew --due --dry-run"))
        return change_timer(here, install=install_timer)
    here.console.prints_results = not as_json
    if not due:
        if lifetime_left:
            raise UsageError("--lifetime-left goes with --due", Hint("", "machinectl renew --due --lifetime-left 30d"))
        results = renew_named(here, names, login, yes=yes, dry_run=dry_run)
    else:
        results = renew_due_certificates(here.store, here.console, names, login, window, dry_run=dry_run)
        if not (names or here.store.names()):
            here.console.note("There are no machines: nothing is due")
    if as_json:
        failed = False
        for name, result in results:
            print_json(result_fields(here.store, name, result), indent=None)
            failed |= isinstance(result, MachineError)
        return int(failed)
    return report_results(here, print_renewals(results, here.program), names or here.store.names())


def change_timer(here: Session, *, install: bool) -> int:
    from machinectl.renewal.timer import install_timer, timer_words, uninstall_timer

    if install:
        words = timer_words(here.arguments)
        path = install_timer(here.store, here.console, THIS.script, words, os.environ)
        here.console.note("What is due is renewed daily from now on", Hint("Try it now", "machinectl renew --due"))
    else:
        path = uninstall_timer(here.store, here.console)
    if path:
        write_out(f"{path}\n")
    return 0


def print_renewals(results: Iterable[tuple[str, object]], program: str) -> Iterator[tuple[str, object]]:
    """Print a line for each machine that did not fail, and yield the others' errors and plans."""
    from machinectl.renewal.due_renewal import RenewalResult

    for name, result in results:
        if isinstance(result, RenewalResult):
            line = ". ".join(filter(None, [result.summary, called_text(result.hint, program)]))
            write_out(f"{name}: {line}\n")
        else:
            yield name, result


def renew_named(
    here: Session, names: list[str], login: Login, *, yes: bool, dry_run: bool
) -> Iterator[tuple[str, object]]:
    from machinectl.hosts.certificate_renewal import Renewal, renew_now
    from machinectl.machines.selection import DEFAULT
    from machinectl.renewal.due_renewal import all_renewed

    if not names and DEFAULT not in here.store.names():
        dry = ["--dry-run"] * dry_run
        raise UsageError(
            "No machine is named, and --due is not given",
            Hint("Renew what is due on all machines", "machinectl renew --due", *dry)
            | Hint("or all certificates of one", "machinectl renew", *dry, "<NAME>"),
        )
    renewal = Renewal(client=True, unasked="machinectl renew -y")
    results = renew_now(here.store, here.console, names, login, renewal, unasked=yes, dry_run=dry_run)
    for name, result in results:
        try:
            yield name, all_renewed(here.store.read(name)) if result is None else result
        except MachineError as exc:
            # It was removed meanwhile.
            yield name, exc
