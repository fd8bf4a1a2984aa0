"""Renewal that nobody watches: what is due, what is renewed, what is said, and that nothing expires in a year."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.certificate_dates import expiry_dates
from machinectl.certs import checks, issuing
from machinectl.console import Unanswered
from machinectl.errors import CheckFailed, MachineError, UsageError
from machinectl.hosts import certificate_files
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.certificate_renewal import Renewal, new_identity
from machinectl.hosts.host_plan import HostPlan
from machinectl.hosts.identity import Identity
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.store_paths import Lock
from machinectl.provision.decision import EngineDown, EngineStopped, NotRestarted
from machinectl.provision.host_changes import CaTrusted
from machinectl.quantities import rfc3339
from machinectl.renewal import due_renewal
from machinectl.renewal.due_renewal import LifetimeLeft, RenewalResult
from machinectl.ssh.ssh_errors import Unreachable
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added, register

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import tzinfo
    from typing import Self

    from machinectl.console import Console
    from machinectl.machines.store import Held, Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

Results = dict[str, "RenewalResult | HostPlan | MachineError"]
OLD = 700
CLIENT_STEP = "Making a new client certificate"


def identity(name: str, *, server: int = 0, client: int = 0, ca: int = 0) -> Identity:
    """Return certificates that were made so many days ago."""

    def ago(days: int) -> datetime:
        return datetime.now(UTC) - timedelta(days=days)

    made = certs.new_ca(f"machinectl {name}", now=ago(max(ca, server, client)))
    return signed(
        made,
        certs.issue_server(made, ["127.0.0.1"], now=ago(server)),
        certs.issue_client(made, name, now=ago(client)),
    )


def owned(store: Store, name: str, *, server: int = 0, client: int = 0, ca: int = 0) -> Machine:
    """Add a machine whose host machinectl has set up; nothing listens there."""
    machine = Machine(name, "generic", url="tcp://127.0.0.1:1", tls=True)
    machine.driver_state = json.dumps({"IPAddress": "127.0.0.1", "SSHUser": "root", "SSHPort": 1, "EnginePort": 1})
    machine.changes = [CaTrusted("0")]
    return added(store, machine, identity(name, server=server, client=client, ca=ca).files)


def given(store: Store, name: str, *, client: int = 0, access: dict[str, str] | None = None) -> Machine:
    """Add a machine that others have set up."""
    machine = Machine(name, "none", url="tcp://127.0.0.1:1", tls=True, driver_state='{"URL": "tcp://127.0.0.1:1"}')
    machine.access = dict(access or {})
    files = identity(name, client=client).files
    return added(store, machine, {file: files[file] for file in ("ca.pem", "cert.pem", "key.pem")})


def own(store: Store, name: str) -> Identity:
    return Identity.read(store.directory(name))


def renewed(store: Store, *names: str, console: Quiet | None = None, dry_run: bool = False) -> Results:
    console = console or Quiet()
    return dict(due_renewal.renew_due_certificates(store, console, names, Login(), LifetimeLeft(), dry_run=dry_run))


def summaries(results: Results) -> dict[str, str]:
    return {name: said(result) for name, result in results.items()}


def said(result: object) -> str:
    parts = [result.summary, result.hint] if isinstance(result, RenewalResult) else [str(result)]
    return ". ".join(filter(None, parts))


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()
    monkeypatch.setattr(due_renewal, "renew", found.renew)
    return found


class Engines:
    """Hosts that take each new certificate, except those that are off, ask for a password, or whose engine fails.

    An engine that is stopped takes it if it may be started.
    """

    def __init__(self) -> None:
        self.off: Collection[str] = ()
        self.stopped: Collection[str] = ()
        self.asking: Collection[str] = ()
        self.failing: Collection[str] = ()
        self.refusing: Collection[str] = ()
        self.restarted: list[str] = []
        self.at_once: list[str] = []

    def renew(self, held: Held, console: Console, login: Login, renewal: Renewal) -> None:
        name = held.name
        assert not self.at_once, "two engines restart at once"
        self.at_once.append(name)
        try:
            if name in self.off:
                raise Unreachable(f"the host of {name} does not answer")
            if name in self.stopped and not renewal.allowed.start:
                raise EngineStopped(name)
            if name in self.asking:
                console.ask("sudo's password: ", secret=True)
            if name in self.refusing:
                raise NotRestarted("dockerd refuses the new configuration")
            if name in self.failing:
                raise EngineDown("The engine does not start")
            self.restarted.append(name)
            new_identity(held.machine, Identity.read(held.directory), renewal).keep(held)
        finally:
            self.at_once.remove(name)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("", LifetimeLeft(1 / 3)),
        ("1/3", LifetimeLeft(1 / 3)),
        ("0.25", LifetimeLeft(0.25)),
        ("30%", LifetimeLeft(0.3)),
        ("1", LifetimeLeft(1)),
        ("30d", LifetimeLeft(time=timedelta(days=30))),
        ("12h", LifetimeLeft(time=timedelta(hours=12))),
        ("2w", LifetimeLeft(time=timedelta(days=14))),
    ],
)
def test_when_a_certificate_is_due_is_a_share_of_its_lifetime_or_a_time(text: str, window: LifetimeLeft) -> None:
    assert LifetimeLeft.parse(text) == window


@pytest.mark.parametrize("text", ["3", "1/0", "101%", "-1d", "d", "half", "1.5", "30 d", "9D"])
def test_other_words_for_it_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--lifetime-left takes a share"):
        LifetimeLeft.parse(text)


def test_a_certificate_is_due_after_two_thirds_of_its_lifetime() -> None:
    begin = datetime.now(UTC)
    end = begin + timedelta(days=30)
    for window, days in ((LifetimeLeft(), 20), (LifetimeLeft(time=timedelta(days=9)), 21)):
        due = [window.is_due(begin, end, begin + timedelta(days=day)) for day in (days - 1, days + 1)]
        assert due == [False, True]


def test_a_clients_certificate_is_renewed_by_one_file_without_its_host(store: Store, engines: Engines) -> None:
    owned(store, "orion", client=OLD)
    before = own(store, "orion")
    assert summaries(renewed(store)) == {"orion": f"new client certificate; valid until {valid_until(820)}"}
    after = own(store, "orion")
    assert {file for file in after.files if after.files[file] != before.files[file]} == {"cert.pem"}
    certs.client_bundle(after.ca, after.client, after.client_key)
    assert certs.describe(after.client).subject == certs.describe(before.client).subject
    assert engines.restarted == []
    assert summaries(renewed(store)) == {"orion": f"not due; valid until {valid_until(820)}"}


@pytest.mark.parametrize(("ahead", "words"), [(-3, "3 days behind"), (900, "900 days ahead of")])
def test_a_certificate_that_the_engines_clock_would_refuse_is_not_made(
    store: Store, monkeypatch: pytest.MonkeyPatch, ahead: int, words: str
) -> None:
    owned(store, "orion", client=OLD)
    before = own(store, "orion")
    there = datetime.now(UTC) + timedelta(days=ahead)
    monkeypatch.setattr(certificate_files, "engine_time", lambda _: there)
    for dry_run in (True, False):
        error = renewed(store, dry_run=dry_run)["orion"]
        assert isinstance(error, CheckFailed)
        assert f"{words} the clock here" in error.cause
    assert own(store, "orion") == before


def valid_until(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def test_only_what_is_due_is_renewed_on_all_machines_or_the_named_ones(store: Store, engines: Engines) -> None:
    for name, days in (("new", 0), ("old", OLD), ("older", OLD + 9)):
        owned(store, name, server=days)
    results = renewed(store, "ghost", "old", "new")
    assert sorted(results) == ["ghost", "new", "old"]
    assert "does not exist" in str(results["ghost"])
    assert engines.restarted == ["old"]
    assert [name for name, result in renewed(store).items() if getattr(result, "renewed", ())] == ["older"]


def test_a_host_that_is_off_waits_and_is_an_error_only_when_time_runs_out(store: Store, engines: Engines) -> None:
    owned(store, "soon", server=800)
    owned(store, "later", server=OLD)
    engines.off = {"soon", "later"}
    results = renewed(store)
    assert isinstance(results["soon"], Unreachable)
    assert summaries(results)["later"] == (
        "the server certificate waits until the host answers (the host of later does not answer); "
        f"valid until {valid_until(820 - OLD)}"
    )
    engines.off = ()
    renewed(store)
    assert sorted(engines.restarted) == ["later", "soon"]


def test_an_engine_that_somebody_has_stopped_stays_so_and_is_an_error_only_when_time_runs_out(
    store: Store, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned(store, "soon", server=800)
    owned(store, "later", server=OLD)
    owned(store, "both", server=OLD, client=OLD)
    engines.stopped = {"soon", "later", "both"}
    results = renewed(store)
    waits = f"the server certificate waits until the engine runs; valid until {valid_until(820 - OLD)}"
    assert str(results.pop("soon")) == 'The engine of "soon" does not run'
    assert summaries(results) == {"later": waits, "both": f"new client certificate; {waits}"}
    assert engines.restarted == []

    # A dry run says the same.
    def plan(_: Store, machine: Machine, __: Console, ___: Login, renewal: Renewal) -> HostPlan:
        assert not renewal.allowed.start
        raise EngineStopped(machine.name)

    monkeypatch.setattr(due_renewal, "plan_renewal", plan)
    results = renewed(store, dry_run=True)
    soon = results.pop("soon")
    assert isinstance(soon, EngineStopped)
    assert soon.hint.endswith("machinectl renew soon")
    owned(store, "client", server=OLD, client=OLD)
    before = own(store, "client")
    results |= renewed(store, "client", dry_run=True)
    assert own(store, "client") == before
    waits = "The server certificate waits until the engine runs"
    plans = {name: plan for name, plan in results.items() if isinstance(plan, HostPlan) and plan.found == (waits,)}
    steps = {name: [outcome.title for outcome in plan.outcomes] for name, plan in plans.items()}
    assert steps == {"later": [], "both": [], "client": [CLIENT_STEP]}


def test_a_machine_that_another_run_has_locked_is_skipped_and_an_error_only_when_time_runs_out(
    store: Store, engines: Engines
) -> None:
    owned(store, "soon", server=800)
    owned(store, "later", server=OLD)
    with Lock(store.lock_path("soon")), Lock(store.lock_path("later")):
        results = renewed(store)
    assert str(results["soon"]) == 'Another run of machinectl works on "soon"'
    assert summaries(results)["later"] == f"{due_renewal.SKIPPED}; valid until {valid_until(820 - OLD)}"
    renewed(store)
    assert sorted(engines.restarted) == ["later", "soon"]


def test_what_needs_an_answer_is_an_error_that_names_the_command(store: Store, engines: Engines) -> None:
    owned(store, "orion", server=OLD)
    engines.asking = {"orion"}
    # Somebody sits there, and is not asked.
    error = renewed(store, console=Quiet("secret"))["orion"]
    assert isinstance(error, Unanswered)
    assert error.hint == "Answer it at a terminal: machinectl renew orion"


def test_engines_restart_one_at_a_time_and_none_after_one_that_fails(store: Store, engines: Engines) -> None:
    for name in ("a", "b", "c", "d"):
        owned(store, name, server=OLD)
    engines.failing = {"b"}
    results = renewed(store)
    assert engines.restarted == ["a"]
    assert isinstance(results["b"], EngineDown)
    assert {summaries(results)[name].partition(";")[0] for name in ("c", "d")} == {due_renewal.NOT_BEGUN}
    # It does not hold the others up for ever.
    results = renewed(store)
    assert engines.restarted == ["a", "c", "d"]
    assert isinstance(results["b"], EngineDown)


def test_an_engine_that_was_not_restarted_holds_up_no_other(store: Store, engines: Engines) -> None:
    for name in ("a", "b", "c"):
        owned(store, name, server=OLD)
    engines.refusing = {"a"}
    assert isinstance(renewed(store)["a"], NotRestarted)
    assert engines.restarted == ["b", "c"]


def test_certificates_of_others_are_named_with_who_can_renew_them(store: Store) -> None:
    given(store, "far", client=OLD)
    given(store, "shared", client=OLD, access={"state": "granted", "by": "alice@orion"})
    given(store, "over", client=1000, access={"state": "granted", "by": "alice@orion"})
    given(store, "now", client=certs.CLIENT_DAYS, access={"state": "granted", "by": "alice@orion"})
    added(store, Machine("waiting", "none", phase=Phase.CREATING, access={"state": "waiting"}))
    given(store, "fresh")
    results = renewed(store)
    found = summaries(results)
    assert "machinectl certs import far <DIR>" in found["far"]
    assert found["shared"].endswith(". Ask alice@orion for a new one: machinectl access renew shared")
    assert found["waiting"] == "waiting for access"
    # A timer hides what is not an error.
    assert isinstance(results["over"], MachineError)
    assert re.fullmatch(r'The certificate of "over" cannot be renewed here: expired on \S+', found["over"])
    assert results["over"].hint == "Ask alice@orion for a new one: machinectl access renew over"
    assert re.search(r"here: expired on \S+ \d\d:\d\d UTC$", found["now"])
    assert found["fresh"].startswith("not due")


def test_a_ca_that_ends_with_them_is_named(store: Store, engines: Engines) -> None:
    # Both end with it, in ten days.
    owned(store, "orion", ca=3640, server=100, client=100)
    error = renewed(store)["orion"]
    assert isinstance(error, MachineError)
    assert error.cause.startswith('The CA of "orion" is valid until ')
    assert error.hint.endswith("machinectl regenerate-certs --new-ca orion")
    assert engines.restarted == []


def test_the_command_prints_a_line_for_each_machine_and_fails_if_one_failed(store: Store) -> None:
    for name, days in (("fresh", 0), ("old", OLD)):
        owned(store, name, client=days)
    done = machinectl("renew", "--due", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"fresh: not due; valid until \S+\nold: new client certificate; valid until \S+\n", done.stdout)
    owned(store, "late", server=810)
    failed = machinectl("renew", "--due", store=store.root)
    assert failed.returncode == 1
    assert len(failed.stdout.splitlines()) == 2
    assert '"late"' in failed.stderr
    owned(store, "mine", client=100)
    dry = machinectl("renew", "--due", "--dry-run", "--lifetime-left", "90%", "mine", store=store.root)
    assert "Planned: Making a new client certificate\n" in dry.stdout
    assert machinectl("renew", "--lifetime-left", "1d", store=store.root).returncode == 2


def test_json_is_one_object_for_each_machine_in_its_own_line(store: Store) -> None:
    for name, days in (("fresh", 0), ("old", OLD)):
        owned(store, name, client=days)
    owned(store, "late", server=810)
    for dry, result in ((["--dry-run"], "planned"), ([], "renewed")):
        done = machinectl("renew", "--due", "--json", *dry, store=store.root)
        assert done.returncode == 1
        found = {each["Name"]: each for each in map(json.loads, done.stdout.splitlines())}
        assert {name: each["Result"] for name, each in found.items()} == {
            "fresh": "not due",
            "old": result,
            "late": "failed",
        }
        assert found["old"].get("Host") == ([{"Title": CLIENT_STEP, "Details": []}] if dry else None)
    assert found["old"]["Renewed"] == ["client"]
    assert found["old"]["Expires"] == rfc3339(expiry_dates(own(store, "old").server)[0])
    assert "port 1 refuses the connection" in found["late"]["Reason"]
    assert found["late"]["Expires"] == rfc3339(expiry_dates(own(store, "late").server)[0])


def test_without_due_it_renews_now_and_asks_first(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    declined = machinectl("renew", "orion", store=store.root, stdin="n\n")
    assert (declined.returncode, declined.stdout) == (0, "")
    assert "About to make new certificates for orion" in declined.stderr
    unasked = machinectl("renew", "orion", store=store.root)
    assert ": machinectl renew -y orion\n" in unasked.stderr


def test_what_was_renewed_is_told_although_a_machine_was_removed_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned(store, "orion")
    done = iter([("gone", None), ("orion", None)])
    monkeypatch.setattr("machinectl.hosts.certificate_renewal.renew_now", lambda *_given, **_more: done)
    found = machinectl("renew", "-y", "gone", "orion", store=store.root)
    assert (found.returncode, '"gone" does not exist' in found.stderr) == (1, True)
    assert found.stdout.startswith("orion: new server and client certificates; valid until ")


class Clock(datetime):
    """A clock that the test moves."""

    moved = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.moved


def test_in_a_year_no_certificate_of_thirty_machines_expires(
    store: Store, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(20)
    names = [f"m{number}" for number in range(30)]
    for name in names:
        # All ages that a timer leaves.
        owned(store, name, server=chance.randrange(547), client=chance.randrange(547))
    for module in (issuing, checks, due_renewal):
        monkeypatch.setattr(module, "datetime", Clock)
    for week in range(0, 53, 2):
        Clock.moved = timedelta(weeks=week)
        engines.off = {name for name in names if chance.random() < 0.5}
        engines.failing = {name for name in names if chance.random() < 0.1}
        results = renewed(store)
        assert sorted(results) == sorted(names)
        for name, result in results.items():
            for pem in (own(store, name).server, own(store, name).client):
                assert expiry_dates(pem)[0] > Clock.now(UTC), (name, week, result)
    assert len(engines.restarted) > 10
