"""Examine machines' files, engines and hosts in parallel, judge what was found, and report it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from machinectl.check import Check, Seat, Verdict, broken, failed, unknown, unseen, value_or
from machinectl.doctor import docker_client, engine_configuration, host_condition, store_files
from machinectl.doctor.engine_connectivity import TCP, TLS, EngineReach, address_checks, look_at_addresses, reach_engine
from machinectl.doctor.host_login import HOST, SSH, Inside, engine_port_of, look_inside, own_url
from machinectl.engine.tls import foreign_ca_hint
from machinectl.errors import DOCTOR, IMPORT, NO_HINT, Hint, MachineError
from machinectl.features import functions
from machinectl.hosts.host_owner import GIVE_UP, after_loss, lost_to
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.identity import Identity
from machinectl.hosts.login import Login, moved_hint
from machinectl.hosts.parallel import BackgroundTask, run_at_once
from machinectl.hosts.query_engines import ASLEEP, state_from_driver
from machinectl.machines.holders import holders_of
from machinectl.machines.machine_driver import endpoint_of
from machinectl.machines.record import Machine, Phase
from machinectl.provision import firewall
from machinectl.provision.daemon_json import read_config as read_configuration
from machinectl.provision.host_changes import ConfigMerged, of_kind
from machinectl.provision.revision import Revision
from machinectl.provision.steps import live_restore
from machinectl.provision.steps.engine_goal import LIVE_RESTORE
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.doctor.host_condition import Shell
    from machinectl.machines.store import Store
    from machinectl.provision.facts.host_facts import Facts

STATE = "State"


def check_machine(store: Store, console: Console, name: str, login: Login, timeout: float) -> list[Check]:
    """Examine a machine, `timeout` seconds per step.

    Prompts only for passwords and passphrases. Raises NoSuchMachine.
    """
    store.check_exists(name)
    try:
        machine = store.read(name)
    except MachineError as exc:
        theirs = store.is_docker_machines(name)
        return [unknown(store_files.RECORD, exc.cause, exc.hint) if theirs else failed(store_files.RECORD, exc)]
    if machine.phase == Phase.CREATING or (machine.phase == Phase.PROVISIONING and not machine.changes):
        # Nothing was changed on the host: there is no engine of ours to examine.
        rest = [store_files.MODES, store_files.CERTIFICATES, "Engine", SSH, HOST]
        return [store_files.record_check(store, machine), *unseen(rest, "it is incomplete")]
    here = list(file_checks(store, machine))
    # A driver that creates hosts may call a remote service.
    asleep = BackgroundTask(lambda: state_from_driver(machine)).answer(timeout)
    if asleep in ASLEEP:
        off = broken(STATE, f'driver "{machine.driver}" reports {asleep}', Hint("Start it", "machinectl start", name))
        return [*here, off, *unseen(["Engine", SSH, HOST], f"it is {asleep}")]
    # A log file needs no progress line.
    with console.step("Examining") if console.interactive else nullcontext():
        engine = BackgroundTask(lambda: reach_engine(machine, timeout))
        looks = BackgroundTask(lambda: look_at_addresses(machine, timeout))
        client = BackgroundTask(lambda: docker_client.client_api_version(os.environ.get("PATH", os.defpath)))
        inside = look_inside(machine, console, login, timeout)
        if inside.facts:
            inside = replace(inside, lost_to=lost_to(store, machine, inside.facts))
        logs_in = inside.checks[0].verdict is Verdict.OK
        features = [
            check
            for checks in functions("machine_checks")
            for check in checks(store, machine, timeout, logs_in=logs_in)
        ]
        way = engine.answer() or EngineReach(())
        if inside.facts and any((each.title, each.verdict) == (TLS, Verdict.BROKEN) for each in way.checks):
            inside = replace(inside, own_url=own_url(machine, console, login, timeout))
        addresses = list(address_checks(machine, looks.answer() or []))
    return [
        *here,
        *(with_renewal(check, machine, here) for check in all_checks(machine, way, inside, client.answer() or "")),
        *addresses,
        *features,
    ]


def with_renewal(check: Check, machine: Machine, here: Iterable[Check]) -> Check:
    """Suggest renewal, not import, for our own broken certificates."""
    renew = next(
        (each.hint for each in here if (each.title, each.verdict) == (store_files.CERTIFICATES, Verdict.BROKEN)),
        NO_HINT,
    )
    from_others = check.leads_to == IMPORT and (machine.changes or machine.access)
    return replace(check, hint=renew) if renew and from_others else check


def file_checks(store: Store, machine: Machine) -> Iterator[Check]:
    yield store_files.record_check(store, machine)
    yield store_files.modes_check(machine.directory)
    if machine.tls:
        yield store_files.certificates_check(store, machine)
    if tools := store_files.tool_certificates_check(machine):
        yield tools


def all_checks(machine: Machine, way: EngineReach, inside: Inside, client: str) -> Iterator[Check]:
    """Yield all checks. `client` is the local docker CLI's API version."""
    *before, last = [unfinished(check, machine) for check in way.checks]
    yield from (of_whose_engine(through_firewall(check, machine, inside), machine, inside) for check in before)
    if way.shown:
        identity = value_or(Identity(), lambda: Identity.read(way.directory))
        served = engine_configuration.served_check(
            way.shown, identity, inside.facts, inside.shell, lost_to=inside.lost_to
        )
        yield of_whose_engine(served, machine, inside)
    elif machine.tls and machine.url.startswith("tcp://"):
        yield from unseen([engine_configuration.SERVED], f"{TLS} failed")
    yield through_firewall(last, machine, inside)
    if way.most:
        yield docker_client.api_check(client, way.least, way.most)
    off = inside.off if inside.off is not None else way.off
    if off is None:
        yield from unseen([host_condition.CLOCK], "neither the engine nor the host answered")
    else:
        yield host_condition.clock_check(off, inside.shell if inside.facts else None)
    yield from inside.checks
    if inside.facts:
        yield from host_checks(machine, way.directory or machine.directory, inside, inside.facts)


def unfinished(check: Check, machine: Machine) -> Check:
    """An engine whose set-up has not ended is not reached because of that."""
    if machine.phase == Phase.READY or check.verdict is not Verdict.BROKEN:
        return check
    return replace(check, hint=Hint("Finish its set-up", "machinectl provision", machine.name))


def host_checks(machine: Machine, directory: str, inside: Inside, found: Facts) -> Iterator[Check]:
    """Yield the host's checks. `directory` has the engine's expected certificates."""
    ours = bool(of_kind(machine.changes, ConfigMerged))
    if machine.engine.ssh_only:
        yield from host_condition.ssh_only_checks(found, target_of(machine), inside.shell)
    shell = inside.shell
    yield host_condition.service_check(found, shell, ours=ours)
    if inside.lost_to:
        seen = f"not checked: {inside.lost_to} has set the host up since"
        yield unknown(engine_configuration.TITLE, seen, Hint(GIVE_UP, "machinectl rm --forget", machine.name))
    elif ours:
        yield record_comparison(machine, directory, found, shell)
        ca = value_or(Identity(), lambda: Identity.read(directory)).ca
        access = machine.tls and engine_configuration.accepted_clients_check(found, ca, holders_of(machine), shell)
        if access:
            yield access
    if found.running:
        # Whether the next `provision` changes live-restore.
        owed = value_or(False, lambda: live_restore.give_back(found, target_of(machine)) is not None)
        configured = value_or(False, lambda: bool(read_configuration(found).get(LIVE_RESTORE)))
        yield host_condition.live_restore_check(found, shell, owed=owed, configured=configured)
    if found.forgotten:
        yield host_condition.forgotten_containers_check(found, shell)
    if inside.health:
        yield from host_condition.health_checks(inside.health, shell, found.init)


def record_comparison(machine: Machine, directory: str, found: Facts, shell: Shell) -> Check:
    try:
        target = target_of(machine, value_or(Identity(), lambda: Identity.read(directory)))
    except MachineError as exc:
        return failed(engine_configuration.TITLE, exc)
    is_unfinished = machine.phase != Phase.READY or bool(machine.pending) or found.transaction == "applying"
    revision = Revision.parse(found.revision)
    news = revision.told if revision.is_news_to(Revision.of_record(machine.revision)) else ""
    return engine_configuration.configuration_check(
        found, target, machine.changes, shell, is_unfinished=is_unfinished, news=news
    )


def of_whose_engine(check: Check, machine: Machine, inside: Inside) -> Check:
    """Judge by the host's SSH key whether the engine is on the machine's host."""
    is_ours = check.title not in {TLS, engine_configuration.SERVED} or check.verdict is not Verdict.BROKEN
    if is_ours or not machine.url.startswith("tcp://"):
        return check
    if inside.is_another_host:
        # Of several addresses, each has a check.
        return replace(check, hint=NO_HINT if machine.addresses else moved_hint(machine))
    if inside.own_url:
        text = "The URL leads to a host with another SSH key. Set the address that SSH uses"
        return replace(check, hint=Hint(text, "machinectl set --url", inside.own_url, machine.name))
    if inside.lost_to:
        return replace(check, hint=after_loss(machine.name))
    if check.leads_to == DOCTOR:
        endpoint = endpoint_of(machine)
        if inside.facts:
            return replace(check, hint=foreign_ca_hint(endpoint), leads_to="")
        return replace(check, hint=foreign_ca_hint(replace(endpoint, takeover="")), leads_to=IMPORT)
    return check


def through_firewall(check: Check, machine: Machine, inside: Inside) -> Check:
    """Name the firewall that blocks TCP, if known."""
    if (check.title, check.verdict) != (TCP, Verdict.BROKEN) or not (inside.facts and inside.facts.engine_listens):
        return check
    rule = firewall.blocking(inside.facts, engine_port_of(machine))
    if rule is None:
        return check
    seen = f"{check.seen}; the engine listens, but {rule.firewall} on its host blocks the port"
    return broken(TCP, seen, Hint("Open the port", "machinectl provision --open-firewall", machine.name))


@dataclass(frozen=True)
class DoctorReport:
    """`name` is "" for this computer."""

    name: str
    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        return all(check.verdict is not Verdict.BROKEN for check in self.checks)

    @property
    def summary(self) -> str:
        count = Counter("unseen" if check.is_unseen else check.verdict for check in self.checks)
        parts = [
            f"{count[Verdict.BROKEN]} broken",
            f"{count[Verdict.UNKNOWN]} to look at",
            f"{count['unseen']} not checked",
            plural(count[Verdict.OK], "check passed", "checks passed"),
        ]
        return ", ".join(part for part in parts if not part.startswith("0 "))

    def shown(self, *, verbose: bool) -> list[Check]:
        """Return the checks that did not pass, but not those that another one's failure prevented."""
        is_unseen_alone = all(check.is_unseen or check.verdict is Verdict.OK for check in self.checks)
        return [
            check
            for check in self.checks
            if verbose or (is_unseen_alone if check.is_unseen else check.verdict is not Verdict.OK)
        ]

    def fields(self) -> dict[str, Any]:
        checks = [
            {"Title": check.title, "Verdict": str(check.verdict), "Seen": check.seen, "Hint": check.hint}
            for check in self.checks
        ]
        return {"Name": self.name, "Well": self.is_well, "Checks": checks}


def examine_machines(
    store: Store, console: Console, names: Sequence[str], login: Login, timeout: float
) -> Iterator[tuple[str, DoctorReport | MachineError]]:
    """Check in parallel, yield in order. `timeout` is per step."""

    def work(name: str, own: Console) -> DoctorReport:
        return DoctorReport(name, tuple(check_machine(store, own, name, login.for_one_host(), timeout)))

    found = dict(run_at_once(console, names, work))
    yield from ((name, found[name]) for name in dict.fromkeys(names) if name in found)


def examine_here(store: Store, names: Sequence[str], program: str, *, alone: bool) -> BackgroundTask[DoctorReport]:
    """Begin to check docker, this shell and, without names, the store. `alone`: no machine is checked."""
    from machinectl.doctor.this_computer import check_computer

    seat = Seat(program, os.environ)
    return BackgroundTask(lambda: DoctorReport("", tuple(check_computer(store, names, seat, alone=alone))))
