"""The verb `access grant`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Argument, Verb
from machinectl.errors import MachineError
from machinectl.machines.flags import FILE, Flag
from machinectl.quantities import parse_lifetime
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.answering import ExpectedGrant, GrantOrder
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
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
            shared.WHO.with_changes(help="The holder's name (default: the one in the request)."),
            shared.LIFETIME.with_changes(help=shared.LIFETIME.help.format("7d")),
            Flag("-y", "--yes", help="Do not ask."),
            shared.NEW_FILE,
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
        ),
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
    from machinectl.access.messages import AnsweredMachine, read_access_request
    from machinectl.cli.tables.results import report_results
    from machinectl.console import confirm, decline
    from machinectl.files.user_files import check_new_file
    from machinectl.provision.target import Allowed
    from machinectl.verbs.access_texts import file_of, hand_over, read_pasted

    seconds = parse_lifetime(lifetime) if lifetime else None
    request = read_access_request(read_pasted(here, file, "request"))
    if file_of(output):
        check_new_file(output)
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
    typed = {"--for": who, "--lifetime": lifetime}
    options = [f"{flag} {shlex.quote(value)}" for flag, value in typed.items() if value]
    again = " ".join(["machinectl access grant -y", shlex.quote(file) if file else "<FILE>", *options])
    if not yes and not confirm(here.console, "Is the fingerprint the same? Give access?", again):
        decline(here.console, "No access was given")
        return 0
    results = [*answering.access_grant(here.store, here.console, order, names, login), *refused]
    given = [machine for _, machine in results if isinstance(machine, AnsweredMachine)]
    if given:
        answer = answering.answer_of(order, given)
        hand_over(here, "answer", answer, request.sender, output, again)
    return report_results(here, results, list(expected))


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
