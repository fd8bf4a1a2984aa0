"""The verbs `access request`, `accept` and `renew`, on the computer that asks for access."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint, one_line
from machinectl.machines.flags import FILE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.accepting import Acceptance, AcceptedMachine
    from machinectl.access.access_request import AccessRequest
    from machinectl.cli.verb_session import Session


REQUEST_FILE = Flag(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to FILE, which must not exist yet, or hold this request.",
    value=FILE,
)

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
            Flag(
                "--for",
                metavar="WHO",
                help="Who asks: the owner sees this name (default: USER@COMPUTER).",
                parameter="who",
                default=None,
            ),
            REQUEST_FILE,
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
        flags=(shared.SELECTOR, REQUEST_FILE),
        refuses_empty=True,
    ),
}


# Of labels or addresses in a line about a machine.
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

    hand_over(here, "request", request, owner, output, again, lambda path: write_request(request, path))
    here.console.note("Then wait for the answer", Hint("When you have it", "machinectl access accept"))


def write_request(request: AccessRequest, path: str) -> None:
    from machinectl.files.atomic import read_file
    from machinectl.files.new_file import write_new_file

    try:
        if read_file(path) == request.text().encode():
            return
    except (OSError, ValueError):
        pass
    write_new_file(path, request.text())


def access_accept(here: Session, *, file: str, yes: bool) -> int:
    from machinectl.access.accepting import acceptance
    from machinectl.access.accepting import access_accept as command
    from machinectl.access.access_answer import read_access_answer
    from machinectl.console import confirm, decline
    from machinectl.verbs.access_texts import read_pasted, utc

    accepted = acceptance(here.store, read_access_answer(read_pasted(here, file, "answer")))
    warn(here, accepted)
    if all(machine.is_done for machine in accepted.machines):
        names = ", ".join(machine.name for machine in accepted.machines)
        here.console.note(f"This answer was accepted already: {names}")
        return 0
    here.console.note(acceptance_summary(accepted))
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


def warn(here: Session, accepted: Acceptance) -> None:
    from machinectl.machines.spoken_fingerprint import hide_fingerprints

    for name in accepted.left_out:
        hint = Hint("See the last request, or make one", "machinectl access request", name)
        here.console.warn(f'"{name}" was removed here, or asked for again, and is left out', hint)
    for machine in accepted.machines:
        if machine.is_new:
            warn_of_places(here, machine, accepted.answer.sender)
        else:
            warn_of_another_ca(here, machine)
        if machine.new_url:
            hint = Hint("Use it", "machinectl set --url", machine.new_url, machine.name)
            url = hide_fingerprints(machine.new_url)
            here.console.warn(f'The owner has another URL for "{machine.name}" now: {url}', hint)


def warn_of_places(here: Session, machine: AcceptedMachine, sender: str) -> None:
    """Say which addresses are not those of a host in a network, and which are of a machine that is here."""
    from machinectl.machines.addresses import FLAG, address_kind, taken_addresses
    from machinectl.url import parse_url

    name, url = machine.name, machine.answered.url
    if kind := address_kind(parse_url(url).host):
        here.console.warn(
            f'The URL of "{name}", {url}, has an address that is no host\'s own ({kind})',
            Hint("Give it the address of its host", "machinectl set --url tcp://<HOST>:2376", name),
        )
    kinds = {address: kind for address in machine.answered.addresses if (kind := address_kind(address))}
    if kinds:
        others = [address for address in machine.answered.addresses if address not in kinds] or [""]
        flags = [word for address in others for word in (FLAG, address)]
        here.console.warn(
            f'The answer has unusual addresses for "{name}": '
            f"{', '.join(f'{address} ({kind})' for address, kind in kinds.items())}",
            Hint("Leave them out after you accept it", "machinectl set", *flags, name),
        )
    hosts = [parse_url(url).host, *machine.answered.addresses]
    for address, other in taken_addresses(here.store, name, url, hosts):
        here.console.warn(
            f'The answer gives "{name}" an address of the machine "{other}": {address}',
            Hint(f"Unless both are one host, do not accept it, and ask {sender}"),
        )


def warn_of_another_ca(here: Session, machine: AcceptedMachine) -> None:
    """Renewals become a habit: say that an answer may fit another engine than the last one."""
    from machinectl.access.accepting import CA, content
    from machinectl.machines.record import owner_of

    known = content(here.store.directory(machine.name), CA)
    if machine.answered.ca == known:
        return
    cause = (
        f'The answer gives "{machine.name}" another CA: it may be another engine'
        if known
        else f'{CA} of "{machine.name}" is missing here, so that the CA of the answer cannot be compared with it'
    )
    owner = owner_of(here.store.read(machine.name))
    here.console.warn(cause, Hint(f"Ask {owner} on the phone whether the machine has a new CA, and which"))


def acceptance_summary(accepted: Acceptance) -> str:
    from machinectl.verbs.access_texts import COMPARE

    answer = accepted.answer
    lines = [f"{answer.sender} gives this computer access. Anyone with access is root on the hosts:"]
    lines += [f"  {machine_line(machine)}" for machine in accepted.machines]
    lines.append(
        f"The answer's fingerprint is {answer.fingerprint}. Compare it with {answer.sender} on the phone: {COMPARE}."
    )
    return "\n".join(lines)


def machine_line(machine: AcceptedMachine) -> str:
    from machinectl.machines.spoken_fingerprint import hide_fingerprints
    from machinectl.verbs.access_texts import utc

    answered = machine.answered
    called = answered.called or answered.name
    asked = "" if machine.name == called else f" (there {called})"
    holder = f" as {machine.holder}" if machine.holder else ""
    if not machine.is_new:
        return f"{machine.name}{hide_fingerprints(asked + holder)}, until {utc(answered.until)}, a new certificate"
    also = cut_list(" or ", answered.addresses)
    labels = cut_list("; labels: ", [f"{key}={value}" for key, value in answered.labels], " ")
    place = hide_fingerprints(f"{asked}{holder} at {answered.url}")
    return f"{machine.name}{place}{also}, until {utc(answered.until)}{labels}"


def cut_list(before: str, items: Sequence[str], separator: str = ", ") -> str:
    """Return a list for one line, cut: it must not move the fingerprint off the screen."""
    from itertools import accumulate

    from machinectl.machines.spoken_fingerprint import hide_fingerprints

    if not items:
        return ""
    ends = accumulate(len(separator) + len(item) for item in items)
    shown = max(1, sum(end - len(separator) <= LONGEST_LIST for end in ends))
    more = f" and {len(items) - shown} more" if shown < len(items) else ""
    return f"{before}{one_line(hide_fingerprints(separator.join(items[:shown])), LONGEST_LIST)}{more}"
