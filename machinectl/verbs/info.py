"""The verb `info`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import LEAVE_ONE_OUT, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.tables.detail_lines import Info
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store
    from machinectl.provision.facts.health import Health


ROOT = "/var/lib/docker"
# Seconds to read a host's condition.
LOOK = 30.0

VERBS = {
    "info": Verb(
        "info",
        more="Without a name, it prints those of all machines.",
        examples=(
            "machinectl info orionbox",
            "machinectl info --ssh orionbox rigel",
            "machinectl info -f '{{.OperatingSystem}}' orionbox",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--ssh", help="Log in, too: disk, load, free memory, uptime."),
            shared.GO_TEMPLATE,
            shared.TIMEOUT,
            shared.JSON,
            *LOGIN,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}


def info(
    here: Session, *, names: list[str], login: Login, ssh: bool, template: str, timeout: float, as_json: bool
) -> int:
    from machinectl.cli.go import template as gotemplate
    from machinectl.cli.go.functions import DOCKERS
    from machinectl.cli.tables.detail_lines import FIELDS, info_text
    from machinectl.cli.tables.results import report_all
    from machinectl.cli.tables.text_table import RowFormat

    if template and as_json:
        raise UsageError("--format and --json exclude each other", LEAVE_ONE_OUT)
    parsed = gotemplate.parse_template(template, fields=FIELDS, escapes=True, functions=DOCKERS) if template else None
    details, failures = query_details(here.store, here.console, names, timeout, login if ssh else None)
    if as_json:
        print_json([one.fields() for one in details])
    elif parsed:
        text, unprintable = RowFormat(parsed, None).text((one.machine.name, one.fields()) for one in details)
        write_out(text)
        failures.extend(unprintable)
    else:
        write_out("\n".join(map(info_text, details)))
    if not names:
        here.note_empty_store()
    return report_all(here, failures)


def query_details(
    store: Store, console: Console, names: Sequence[str], timeout: float, login: Login | None = None
) -> tuple[list[Info], list[MachineError]]:
    """Query the given machines, or all; with `login`, read their hosts, too.

    `timeout` is per machine.
    """
    from datetime import UTC, datetime

    from machinectl.cli.tables.detail_lines import Info
    from machinectl.engine import EngineQuery
    from machinectl.hosts.expiry import certificate_rows
    from machinectl.hosts.query_engines import engine_failures, query_engines, recorded_statuses

    details, missing = recorded_statuses(store, names or store.names(), Info)
    now = datetime.now(UTC)
    for one in details:
        # Files of a former listener may be left.
        if not one.machine.engine.ssh_only:
            one.certificates = list(certificate_rows(one.machine.name, store.directory(one.machine.name), now))
    for _ in query_engines(store, details, timeout, EngineQuery("/info", dict)):
        pass
    if login:
        read_hosts(details, console, login)
    return details, [
        *missing,
        *engine_failures(details),
        *(one.unseen.named(one.machine.name) for one in details if one.unseen),
    ]


def read_hosts(details: Sequence[Info], console: Console, login: Login) -> None:
    from machinectl.hosts.login import logged_in
    from machinectl.hosts.parallel import run_at_once
    from machinectl.provision.facts.health import health_command, parse_health

    by_name = {one.machine.name: one for one in details if one.machine.driver}

    def read_health(name: str, console: Console) -> Health:
        script = health_command(by_name[name].said("DockerRootDir", str) or ROOT)
        with logged_in(by_name[name].machine, console, login.for_one_host(), quietly=True) as session:
            return parse_health(session.run(script, timeout=LOOK, check=False).stdout)

    for name, result in run_at_once(console, by_name, read_health):
        if not isinstance(result, MachineError):
            by_name[name].host = result
        else:
            by_name[name].unseen = result
