"""The verbs `access request`, `accept` and `renew`, on the computer that asks for access."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint, one_line
from machinectl.machines.flags import FILE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.access.accepting import AcceptedMachine
    from machinectl.access.messages import AccessRequest
    from machinectl.cli.verb_session import Session


VERBS = {
    "access request": Verb(
        "access_request",
        more=(
            "It makes a key for each machine, which never leaves this computer, and prints a request to send to the "
            "owner. NAME is the owner's name of the machine, LOCAL another name for it here. Repeated, also for some "
            "of its machines, it prints the same request again."
        ),
        examples=(
            "machinectl access request orionbox",
            "machinectl access request work:orionbox web1 --for alice -o request.txt",
        ),
        arguments=(Argument("machines", "[LOCAL:]NAME…", TEXT, many=True, repeats=True),),
        flags=(
            shared.WHO.with_changes(help="Who asks: the owner sees this name (default: USER@COMPUTER).", value=TEXT),
            shared.NEW_FILE,
        ),
        refuses_empty=True,
    ),
    "access accept": Verb(
        "access_accept",
        more="Without FILE or with -, it reads stdin: paste the answer. It shows the answer's fingerprint, and asks.",
        examples=("machinectl access accept", "machinectl access accept answer.txt"),
        arguments=(Argument("file", "[FILE]", FILE),),
        flags=(Flag("-y", "--yes", help="Do not ask whether the fingerprints are the same."),),
    ),
    "access renew": Verb(
        "access_renew",
        more=(
            "It prints a request with the keys that are here, for all machines that were shared with this computer "
            "unless some are named. `machinectl access accept` takes the answer."
        ),
        examples=("machinectl access renew", "machinectl access renew orionbox -o request.txt"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, shared.NEW_FILE),
        refuses_empty=True,
    ),
}


# Characters of labels or addresses in a line about a machine: it must not move the fingerprint off the screen.
LONGEST_LIST = 60


def access_request(here: Session, *, machines: list[str], who: str | None, output: str) -> None:
    from machinectl.access.requesting import access_request as command
    from machinectl.verbs.access_texts import file_of

    request = command(here.store, here.console, machines, who=who, output=file_of(output))
    owner = f"the owner of {', '.join(machine.name for machine in request.machines)}"
    hand_over_request(here, request, output, f"machinectl access request {' '.join(machines)}", owner)


def access_renew(here: Session, *, names: list[str], output: str) -> None:
    from machinectl.access.requesting import access_renew as command
    from machinectl.verbs.access_texts import file_of

    request, owner = command(here.store, here.console, names, output=file_of(output))
    hand_over_request(here, request, output, " ".join(["machinectl access renew", *names]), owner)


def hand_over_request(here: Session, request: AccessRequest, output: str, again: str, owner: str) -> None:
    from machinectl.verbs.access_texts import hand_over

    hand_over(here, "request", request, owner, output, again)
    here.console.note("Then wait for the answer", Hint("When you have it", "machinectl access accept"))


def access_accept(here: Session, *, file: str, yes: bool) -> int:
    from machinectl.access.accepting import acceptance, acceptance_warnings
    from machinectl.access.accepting import access_accept as command
    from machinectl.access.messages import read_access_answer
    from machinectl.console import confirm, decline
    from machinectl.verbs.access_texts import COMPARE, read_pasted, utc

    accepted = acceptance(here.store, read_access_answer(read_pasted(here, file, "answer")))
    for text, hint in acceptance_warnings(here.store, accepted):
        here.console.warn(text, hint)
    if all(machine.is_done for machine in accepted.machines):
        names = ", ".join(machine.name for machine in accepted.machines)
        here.console.note(f"This answer was accepted already: {names}")
        return 0
    answer = accepted.answer
    lines = [f"{answer.sender} gives this computer access. Anyone with access is root on the hosts:"]
    lines += [f"  {machine_line(machine)}" for machine in accepted.machines]
    lines.append(
        f"The answer's fingerprint is {answer.fingerprint}. Compare it with {answer.sender} on the phone: {COMPARE}."
    )
    here.console.note("\n".join(lines))
    unasked = " ".join(["machinectl access accept -y", *([os.fspath(file)] if file else ["<FILE>"])])
    if not yes and not confirm(here.console, "Are the fingerprints the same?", unasked):
        decline(here.console, "Nothing was accepted")
        return 0
    failed, ready = False, []
    for machine, error in command(here.store, here.console, accepted):
        if error:
            report(error, here.program)
            failed = True
            continue
        done = "ready" if machine.is_new else "renewed"
        print_lines([f"{machine.name}: {done}, until {utc(machine.answered.until)}"])
        ready.append(machine.name)
    if ready:
        here.console.note(f"{ready[0]} is ready", Hint("Use it", f"eval $(machinectl env {ready[0]})"))
    return int(failed)


def machine_line(machine: AcceptedMachine) -> str:
    from machinectl.machines.spoken_fingerprint import hide_fingerprints
    from machinectl.verbs.access_texts import utc

    answered = machine.answered
    called = answered.called or answered.name
    asked = "" if machine.name == called else f" (there {called})"
    holder = f" as {machine.holder}" if machine.holder else ""
    if not machine.is_new:
        return f"{machine.name}{hide_fingerprints(asked + holder)}, until {utc(answered.until)}, a new certificate"
    addresses = "".join(f" or {address}" for address in answered.addresses)
    labels = " ".join(f"{key}={value}" for key, value in answered.labels)
    also, labels = (one_line(hide_fingerprints(text), LONGEST_LIST) for text in (addresses, labels))
    place = hide_fingerprints(f"{asked}{holder} at {answered.url}")
    return f"{machine.name}{place}{also}, until {utc(answered.until)}{'; labels: ' if labels else ''}{labels}"
