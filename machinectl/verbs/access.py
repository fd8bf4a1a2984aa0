"""The verbs `access …`."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import Argument, Verb
from machinectl.cli.output.stdout import write_out
from machinectl.cli.own_flags import LOGIN
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import FILE, HOLDER, Flag
from machinectl.quantities import parse_lifetime
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.access.access_answer import AccessAnswer
    from machinectl.access.access_request import AccessRequest
    from machinectl.access.answering import ExpectedGrant, GrantOrder
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store


WHO = Argument("who", "WHO", HOLDER, required=True, help="A holder of `machinectl access ls`.")

VERBS = {
    "access": Verb(
        "",
        examples=(
            "machinectl access grant request.txt",
            "machinectl access ls",
            "machinectl access end alice orionbox",
        ),
    ),
    "access grant": Verb(
        "access_grant",
        more=(
            "Without FILE or with -, it reads stdin: paste the request. It shows what is asked for and the request's "
            "fingerprint, and asks. Each engine restarts once for a new holder; containers keep running."
        ),
        examples=(
            "machinectl access grant",
            "machinectl access grant request.txt --for alice --lifetime 12h -o answer.txt",
        ),
        arguments=(Argument("file", "[FILE]", FILE),),
        flags=(
            Flag(
                "--for",
                metavar="WHO",
                help="The holder's name (default: the one in the request).",
                value=HOLDER,
                parameter="who",
                default=None,
            ),
            shared.LIFETIME.with_changes(help=shared.LIFETIME.help.format("7d")),
            Flag("-y", "--yes", help="Do not ask."),
            Flag(
                "-o",
                "--output",
                metavar="FILE",
                help="Write to FILE, which must not exist yet, or hold an earlier answer to the request.",
                value=FILE,
            ),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
        ),
        refuses_empty=True,
    ),
    "access end": Verb(
        "access_end",
        more=(
            "Each engine restarts once; containers keep running. Engines in use restart one after the other. "
            "A host that is off is finished by the same command later, or by `machinectl provision`."
        ),
        examples=(
            "machinectl access end alice orionbox",
            "machinectl access end ci-runner --all",
            "machinectl access end --dry-run alice orionbox",
        ),
        arguments=(WHO, shared.NAMES),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="All machines that the holder has access to.", parameter="everything"),
            Flag("-y", "--yes", help="Do not ask."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
        ),
        keeps_selector=True,
        refuses_empty=True,
    ),
}


def access_grant(
    here: Session,
    *,
    file: str,
    login: Login,
    who: str | None,
    lifetime: str,
    yes: bool,
    output: str,
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    import shlex

    from machinectl.access import answering
    from machinectl.access.access_answer import AnsweredMachine
    from machinectl.access.access_request import read_access_request
    from machinectl.cli.tables.results import report_results
    from machinectl.console import confirm, decline
    from machinectl.provision.target import Allowed
    from machinectl.verbs.access_texts import hand_over, read_pasted

    seconds = parse_lifetime(lifetime) if lifetime else None
    request = read_access_request(read_pasted(here, file, "request"))
    check_output(output, request)
    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    order = answering.grant_order(here.store, request, who, seconds, allowed)
    expected = answering.expected_grants(here.store, order)
    able = [grant for grant in expected.values() if isinstance(grant, answering.ExpectedGrant)]
    refused = [(name, error) for name, error in expected.items() if isinstance(error, MachineError)]
    names = [grant.machine.name for grant in able]
    if not able:
        return report_results(here, refused, list(expected))
    here.console.note(grant_summary(order, able))
    if dry_run:
        plans = answering.plan_grant(here.store, here.console, order, names, login)
        return report_results(here, [*plans, *refused], list(expected))
    again = (
        f"machinectl access grant -y {shlex.quote(file) if file else '<FILE>'}{typed_options(who, lifetime, output)}"
    )
    if not yes and not confirm(here.console, "Is the fingerprint the same? Give access?", again):
        decline(here.console, "No access was given")
        return 0
    results = [*answering.access_grant(here.store, here.console, order, names, login), *refused]
    given = [machine for _, machine in results if isinstance(machine, AnsweredMachine)]
    if given:
        answer = answering.answer_of(order, given)
        hand_over(here, "answer", answer, request.sender, output, again, lambda path: write_answer(answer, path, again))
    return report_results(here, results, list(expected))


def check_output(path: str, request: AccessRequest) -> None:
    """Raise MachineError for a file that the answer cannot go into. It may replace an earlier one to the request."""
    from machinectl.access.access_answer import read_access_answer
    from machinectl.files.atomic import read_file
    from machinectl.files.new_file import check_new_file

    if path in {"", "-"}:
        return
    if not os.path.lexists(path):
        check_new_file(path)
        return
    try:
        is_earlier = read_access_answer(read_file(path)).request == request.id
    except (MachineError, OSError, ValueError):
        is_earlier = False
    if not is_earlier:
        raise UsageError(
            f"{path} exists already, and is no answer to this request", Hint("Choose another file, or remove it first")
        )


def typed_options(who: str | None, lifetime: str, output: str) -> str:
    import shlex

    given = {"--for": who, "--lifetime": lifetime, "--output": output}
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in given.items() if value)


def grant_summary(order: GrantOrder, able: Sequence[ExpectedGrant]) -> str:
    from machinectl.verbs.access_texts import COMPARE

    sender = order.request.sender
    holder = able[0].holder.who
    lines = [f"{sender} asks for access{f', as the holder {holder}' if holder != sender else ''}:"]
    lines += [f"  {grant_line(order, grant)}" for grant in able]
    if any(grant.holder.keys and not grant.has_this_key for grant in able):
        lines.append(f"{holder} has access already: this key, from {sender}, is another one, as of another computer.")
    lines += [
        f"{grant.other} is another machine. If {sender} means that one, do not give access, and ask for a request "
        "with a new key."
        for grant in able
        if grant.other
    ]
    return "\n".join(
        [
            *lines,
            "Anyone with access is root on the host.",
            f"The request's fingerprint is {order.request.fingerprint}.",
            f"Compare it with {sender} on the phone: {COMPARE}.",
        ]
    )


def grant_line(order: GrantOrder, grant: ExpectedGrant) -> str:
    from machinectl.machines.holders import ADDING, EXPIRES
    from machinectl.verbs.access_texts import utc

    machine = grant.machine
    asked = order.asked_name(machine.name)
    name = machine.name if asked == machine.name else f"{machine.name} (asked for as {asked}, with the key for it)"
    places = " or ".join(filter(None, [machine.url, ", ".join(machine.addresses)]))
    effect = "a new certificate for its key" if grant.has_this_key else "a further key of this holder"
    if grant.holder.state == EXPIRES:
        effect = "it can only expire, as the host cannot be changed"
    elif grant.holder.state == ADDING:
        effect = "the engine restarts, containers keep running"
    return f"{name} at {places}, until {utc(grant.until)}; {effect}"


def write_answer(answer: AccessAnswer, path: str, again: str) -> None:
    from machinectl.files.atomic import remove_if_present
    from machinectl.files.new_file import write_error, write_new_file

    try:
        # An earlier answer to the same request.
        remove_if_present(path)
        write_new_file(path, answer.text())
    except (OSError, MachineError) as exc:
        cause = exc.cause if isinstance(exc, MachineError) else write_error(path, exc).cause
        raise MachineError(
            f"{cause}. Access was given, only the answer is missing",
            Hint("Print the answer to the same request", again),
        ) from exc


def access_end(
    here: Session,
    *,
    who: str,
    names: list[str],
    selector: str | None,
    everything: bool,
    login: Login,
    yes: bool,
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    import shlex

    from machinectl.access import ending
    from machinectl.cli.chosen_names import target_names
    from machinectl.cli.tables.results import report_results
    from machinectl.console import confirm, decline
    from machinectl.machines.selection import require_names
    from machinectl.provision.target import Allowed

    if everything and (names or selector is not None):
        raise UsageError("--all, and names or --selector, exclude each other", Hint("Leave one of them out"))
    if names or selector is not None:
        targets = target_names(here, names, selector, everything=False)
    else:
        targets = machines_of(here.store, who)
        require_names(targets if everything else [], f"access end {who}", "--all")
    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    if dry_run:
        return report_results(here, ending.plan_end(here.store, here.console, who, targets, login, allowed), targets)
    endable = ending.endable_machines(here.store, here.console, who, targets, login)
    if endable.able and not yes:
        chosen_by = ["--all"] if everything else endable.able if selector is None else ["--selector", selector]
        again = ["machinectl", "access", "end", "-y", who, *chosen_by, *["--restart-swarm"] * restart_swarm]
        here.console.note(f"About to end the access of {who} to {what_ends(here.store, endable.able)}.")
        if not confirm(here.console, "Are you sure?", shlex.join(again)):
            decline(here.console, "No access was ended")
            return 0
    here.console.done = "ended"
    results = ending.access_end(here.store, here.console, who, endable, login, allowed)
    return report_results(here, ended(here, results), targets)


def machines_of(store: Store, who: str) -> list[str]:
    """Return the machines that the holder has access to. Raises MachineError if there is none."""
    from machinectl.access.ending import own_access
    from machinectl.machines.holders import OWNER, find_holder
    from machinectl.machines.own_access import OwnAccess, whom_to_ask

    if who.lower() == OWNER:
        raise own_access()
    machines = store.readable()
    names = [machine.name for machine in machines if find_holder(machine, who)]
    if not names:
        for machine in machines:
            own = OwnAccess.of(machine)
            if own and own.who.lower() == who.lower() and (error := whom_to_ask(machine)):
                raise error
        raise MachineError(
            f'"{who}" has access to no machine on record here', Hint("See who has", "machinectl access ls")
        )
    return names


def what_ends(store: Store, names: Sequence[str]) -> str:
    from machinectl.machines.holders import is_suspended

    restarting = [name for name in names if not is_suspended(store.read(name))]
    listed = ", ".join(names)
    if not restarting:
        return f"{listed}: no engine restarts (reached over SSH only)"
    which = "" if len(restarting) == len(names) else f" of {', '.join(restarting)}"
    engines = f"the engine{which} restarts" if len(restarting) == 1 else f"the engines{which} restart"
    return f"{listed}: {engines}, containers keep running"


def ended(here: Session, results: Iterable[tuple[str, str | MachineError]]) -> Iterator[tuple[str, str | MachineError]]:
    """Pass results on, with a line for each machine, unless a board shows it."""
    from machinectl.cli.tables.results import is_on_board

    for name, result in results:
        if isinstance(result, str) and not is_on_board(here):
            write_out(f"{result} has no access to {name} any more\n")
        yield name, result
