"""A fleet beside the records of machines: each kind of difference, what is refused, and in which order it is done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from machinectl.driver.installed_drivers import load
from machinectl.fleet.fleet_file import Fleet, FleetId
from machinectl.fleet.host_reader import FleetHost
from machinectl.fleet.plan import planned_steps
from machinectl.fleet.plan_steps import Action, Difference, FleetPlan, PlanStep, difference_text, step_as_json
from machinectl.fleet.yaml_nodes import Place, WrongFile
from machinectl.hosts import certificate_files
from machinectl.hosts.certificate_files import renewed_identity
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.identity import Identity
from machinectl.machines.create_options import ENGINE_FLAGS
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import AccessHolder, HolderKey, put_holder
from machinectl.machines.record import Machine, Phase, parse_record
from machinectl.machines.spec import CertificateFiles, MachineSpec
from machinectl.machines.swarm_node import SwarmNode
from machinectl.provision.host_changes import FileCreated
from machinectl.provision.steps import engine_config, engine_goal
from tests.provision.test_steps import host as recorded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.errors import MachineError

PATH = "/home/me/fleet.yaml"
ADDRESS = "192.168.0.29"
URL = "tcp://192.168.0.40:2376"
ELSEWHERE = {"generic-ip-address": "192.168.0.30"}


def spec(driver: str = "generic", options: Mapping[str, Any] | None = None, **asked: Any) -> MachineSpec:
    named = {"generic": {"generic-ip-address": ADDRESS}, "none": {"url": URL}}[driver]
    defaults = {option.name: option.default for option in load(driver).options()}
    return MachineSpec(driver, {**defaults, **named, **(options or {})}, **asked)


def host(name: str = "orion", driver: str = "generic", *, line: int = 1, **asked: Any) -> FleetHost:
    return FleetHost(name, spec(driver, **asked), Place(line, 3))


def machine(name: str = "orion", driver: str = "generic", **asked: Any) -> Machine:
    """A machine that is as a fleet's host with the same words asks for."""
    return made(host(name, driver, **asked))


def made(host: FleetHost) -> Machine:
    at = str(host.spec.options.get("url", "")) or f"tcp://{host.spec.options['generic-ip-address']}:2376"
    found = Machine(host.name, host.spec.driver, url=at, tls=host.spec.tls is not False)
    found.spec, found.fleet = host.spec, PATH
    found.driver_state = json.dumps({"URL": at, "IPAddress": ADDRESS, "EnginePort": 2376})
    if host.spec.driver == "generic" and host.spec.provision:
        found.changes = [FileCreated("/etc/docker/daemon.json")]
    return parse_record(host.name, found.dump(), f"/store/{host.name}")


def planned(
    hosts: Sequence[FleetHost], there: Mapping[str, Machine | MachineError], *, has: bool = True
) -> Sequence[PlanStep]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificate_files, "has_named_certificates", lambda _, __: has)
        return planned_steps(Fleet(FleetId(PATH), tuple(hosts)), there)


def one(host: FleetHost, machine: Machine, *, has: bool = True) -> PlanStep:
    [step] = planned([host], {host.name: machine}, has=has)
    return step


def test_ssh_only_names_whose_access_it_suspends_and_gives_back() -> None:
    there = machine()
    put_holder(there, AccessHolder("alice", keys=(HolderKey("a" * 64, "2999-01-01T09:30:00Z"),)))
    put_holder(there, AccessHolder("eve", keys=(HolderKey("e" * 64, "2020-01-01T00:00:00Z"),)))
    [closing] = one(host(engine=EngineOptions(ssh_only=True)), there).differences
    assert difference_text(closing) == ("ssh-only false -> true (the engine restarts; suspends the access of alice)")
    step = one(host(engine=EngineOptions(ssh_only=True)), there)
    [shown] = step_as_json(step, FleetPlan([step], FleetId(PATH), {step.name: there}))["Differences"]
    assert shown["Effect"] == "suspends the access of alice"
    there.engine = EngineOptions(ssh_only=True)
    there.url, there.tls = f"ssh://root@{ADDRESS}", False
    texts = [difference_text(each) for each in one(host(), there).differences]
    assert "ssh-only true -> false (the engine restarts; gives access back to alice)" in texts


def test_a_host_without_a_machine_is_created_one_that_is_right_is_left_and_one_that_went_is_removed() -> None:
    there = {"orion": machine(), "old": machine("old"), "other": Machine("other", "none")}
    found = planned([host("rigel", options=ELSEWHERE), host()], there)
    assert [(step.name, step.action) for step in found] == [
        ("rigel", Action.CREATE),
        ("orion", Action.LEAVE),
        ("old", Action.REMOVE),
    ]
    assert [step.host is None for step in found] == [False, False, True]


def options(*texts: str) -> dict[str, Any]:
    return {"engine": EngineOptions(options=texts)}


def names(*texts: str, env: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"engine": EngineOptions(tls_sans=texts, env=env)}


RESTARTS = "(the engine restarts)"


@pytest.mark.parametrize(
    ("wanted", "had", "differences"),
    [
        ({"options": {"generic-ip-address": "10.0.0.1"}}, {}, [f"ip-address {ADDRESS} -> 10.0.0.1"]),
        (
            {},
            {"options": {"generic-ssh-user": "ops", "generic-copy-key": True, "generic-ssh-port": 22}},
            ["ssh-user - ops", "ssh-port - 22", "copy-key true -> false"],
        ),
        (
            {"labels": {"role": "web", "zone": "a"}},
            {"labels": {"role": "db", "old": ""}},
            [f"labels {change} {RESTARTS}" for change in ("role=db -> role=web", "- old=", "+ zone=a")],
        ),
        # Only what differs of a list; live-restore takes a reload alone.
        (options("a=2", "debug=true"), options("a=1", "debug=true"), [f"engine-opt a=1 -> a=2 {RESTARTS}"]),
        (options("debug=true"), options("debug=true", "live-restore=true"), ["engine-opt - live-restore=true"]),
        (
            {"engine": EngineOptions(registry_mirrors=("http://a", "http://b"))},
            {"engine": EngineOptions(registry_mirrors=("http://b", "http://a"))},
            [f"engine-registry-mirror http://b, http://a -> http://a, http://b {RESTARTS}"],
        ),
        (names("a", "b", env=("A=1", "B=2")), names("b", "a", env=("B=2", "A=1")), []),
        # The certificate is signed for a further name.
        (names("orion.local"), {}, [f"tls-san + orion.local {RESTARTS}"]),
        ({}, names("orion.local"), ["tls-san - orion.local"]),
        (
            {"engine": EngineOptions(install="distro", version="28")},
            {},
            ["engine-install + distro", "engine-version + 28"],
        ),
        ({"context": False}, {}, ["no-context false -> true"]),
        ({"provision": False}, {}, ["no-provision false -> true"]),
        # Set up from now on; an engine of others is not restarted.
        (
            {"labels": {"role": "web"}},
            {"provision": False},
            [f"labels + role=web {RESTARTS}", f"no-provision true -> false {RESTARTS}"],
        ),
        (
            {"provision": False, "labels": {"role": "web"}, "engine": EngineOptions(bind=ADDRESS)},
            {"provision": False},
            ["labels + role=web", f"engine-bind + {ADDRESS}"],
        ),
        ({"jump": "host:gate"}, {}, ["ssh-jump + host:gate"]),
        (
            {"addresses": ("10.8.0.29",)},
            {"addresses": ["orion.vpn"]},
            [f"address orion.vpn -> 10.8.0.29 {RESTARTS}"],
        ),
        ({}, {"addresses": ["10.8.0.29"]}, ["address - 10.8.0.29"]),
        ({"lifetime": "12h"}, {"lifetime": "2d"}, ["access-lifetime 2d -> 12h"]),
        ({"options": {"generic-ssh-key": "/root/.ssh/id"}}, {"options": {"generic-ssh-key": "~/.ssh/id"}}, []),
        # A key that the file does not name stays.
        ({}, {"options": {"generic-ssh-key": "/keys/id"}}, []),
    ],
)
def test_each_thing_that_shall_be_otherwise_is_a_difference(
    wanted: dict[str, Any], had: dict[str, Any], differences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/root")
    step = one(host(**wanted), machine(**had))
    assert [difference_text(difference) for difference in step.differences] == differences
    assert step.action is (Action.CHANGE if differences else Action.LEAVE)
    assert step.restarts == any(text.endswith(RESTARTS) for text in differences)


@pytest.mark.parametrize(
    ("wanted", "url", "tls", "differences"),
    [
        pytest.param(
            {}, "tcp://192.168.0.41:2376", True, [Difference("url", "tcp://192.168.0.41:2376", URL)], id="url"
        ),
        pytest.param({"options": {"url": "tcp://192.168.0.40"}}, URL, True, [], id="the same one in full"),
        pytest.param({}, URL, False, [Difference("no-tls", "true", "false")], id="TLS on"),
        pytest.param({"tls": False}, URL, True, [Difference("no-tls", "false", "true")], id="TLS off"),
        pytest.param({"tls": False}, URL, False, [], id="TLS is off"),
        pytest.param({"options": {"url": "unix:///run/a.sock"}}, "unix:///run/a.sock", False, [], id="no TLS there"),
        pytest.param({"options": {"url": "tcp://a:2375"}}, "tcp://a:2375", False, [], id="plain by its port"),
        pytest.param({"options": {"url": "tcp://a:2375"}}, "tcp://a:2375", True, [], id="others' certificates"),
    ],
)
def test_where_the_engine_is_and_how_it_is_spoken_to(
    wanted: dict[str, Any], url: str, tls: bool, differences: list[Difference]
) -> None:
    there = machine("nas", "none")
    there.url, there.tls = url, tls
    assert list(one(host("nas", "none", **wanted), there).differences) == differences


def test_the_engine_of_a_machine_without_ssh_is_never_restarted() -> None:
    wanted = host("nas", "none", labels={"role": "store"})
    found = one(wanted, machine("nas", "none", provision=False))
    assert [each.key for each in found.differences] == ["labels", "no-provision"]
    assert not found.restarts


def test_certificates_are_compared_with_those_that_the_machine_has() -> None:
    given = replace(host("nas", "none"), certificates=CertificateFiles("/certs/nas"))
    assert one(given, made(given), has=True).action is Action.LEAVE
    assert one(given, made(given), has=False).differences == (Difference("tls-dir", "others", "/certs/nas"),)
    three = replace(given, certificates=CertificateFiles("", "/ca.pem", "/cert.pem", "/key.pem"))
    assert one(three, made(three), has=False).differences == (Difference("tls-client-cert", "others", "/cert.pem"),)


def test_a_host_that_is_set_up_here_keeps_certificates_of_its_own() -> None:
    """Its record alone would be changed, and its engine be reached no more."""
    others = CertificateFiles("/certs/orion")
    for wanted in (host(tls=False), replace(host(), certificates=others)):
        with pytest.raises(WrongFile, match=r"fleet\.yaml:1:3: orion is set up here, and has certificates of its own"):
            one(wanted, machine(), has=False)
    left = replace(host(provision=False), certificates=others)
    assert [each.key for each in one(left, machine(provision=False), has=False).differences] == ["tls-dir"]


def test_a_role_in_the_swarm_is_compared_where_the_file_gives_one() -> None:
    there = machine()
    manager = replace(host(), swarm="manager")
    assert one(manager, there).differences == (Difference("swarm", "", "manager"),)
    there.swarm = SwarmNode("orion", "cluster", "node", "worker").dump()
    assert one(manager, there).differences == (Difference("swarm", "worker", "manager"),)
    assert one(replace(host(), swarm="worker"), there).action is Action.LEAVE
    assert one(host(), there).action is Action.LEAVE


@pytest.mark.parametrize("how", ["phase", "pending"])
def test_what_is_half_made_or_half_changed_is_gone_on_with(how: str) -> None:
    there = machine()
    there.phase, there.pending = (Phase.PROVISIONING, "") if how == "phase" else (Phase.READY, "provision")
    assert one(host(), there) == PlanStep("orion", Action.RESUME, host())
    assert one(host(context=False), there).action is Action.RESUME
    assert one(host(context=False), there).differences == (Difference("no-context", "false", "true"),)


def test_a_machine_that_was_made_by_hand_is_taken_over_which_is_said_where_something_differs() -> None:
    there = machine()
    there.fleet = ""
    assert one(host(), there).action is Action.LEAVE
    [first, _] = one(host(context=False), there).differences
    assert first == Difference("fleet", "", PATH)


def test_passwords_are_not_shown() -> None:
    old, new = (EngineOptions(env=(f"HTTPS_PROXY=http://me:{word}@proxy",)) for word in ("gaheim", "secret"))
    shown = repr(one(host(engine=new, labels={"token": "secret"}), machine(engine=old)).differences)
    assert "gaheim" not in shown
    assert "secret" not in shown
    assert "http://me:***@proxy" in shown


@pytest.mark.parametrize(
    ("name", "there", "cause", "hint"),
    [
        ("orion", machine("orion", "none"), 'exists with the driver "none"', "machinectl rename orion"),
        ("Orion", machine("orion"), "only in case", "machinectl rename orion"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_its_place(name: str, there: Machine, cause: str, hint: str) -> None:
    with pytest.raises(WrongFile) as raised:
        planned([host("rigel"), host(name, line=7)], {"orion": there})
    [line] = [line for line in raised.value.cause.splitlines() if line.startswith(f"{PATH}:7:3: ")]
    assert cause in line
    assert hint in raised.value.hint


def test_a_host_that_was_set_up_under_a_name_which_the_file_has_no_more_is_to_be_renamed() -> None:
    with pytest.raises(WrongFile) as raised:
        planned([host("rigel", line=7)], {"orion": machine()})
    assert f'{PATH}:7:3: The host of rigel belongs to the machine "orion" already' in raised.value.cause
    assert "machinectl rename orion rigel; " in raised.value.hint


def test_a_name_is_free_for_a_host_whose_machine_moves_away_or_was_never_set_up() -> None:
    moves = host(options=ELSEWHERE)
    assert [step.action for step in planned([moves, host("rigel")], {"orion": machine()})] == [
        Action.CHANGE,
        Action.CREATE,
    ]
    for there in (machine(driver="none"), machine(provision=False)):
        [step, _] = planned([host("rigel", there.driver)], {"orion": there})
        assert step.action is Action.CREATE


def test_what_another_driver_has_not_made_yet_is_gone_on_with() -> None:
    there = machine("orion", "none")
    there.phase, there.driver_state = Phase.CREATING, ""
    assert one(host(), there).differences == (Difference("driver", "none", "generic"),)
    there.driver_state = "{}"
    with pytest.raises(WrongFile):
        one(host(), there)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
LISTS = st.lists(WORDS.filter(bool), max_size=3).map(tuple)
ENGINES = st.builds(
    EngineOptions,
    **{option.key: LISTS if option.many else WORDS if option.metavar else st.booleans() for option in ENGINE_FLAGS},
    others=st.just({}),
)


SPECS = st.builds(
    spec,
    st.sampled_from(["generic", "none"]),
    labels=st.dictionaries(WORDS, WORDS, max_size=3),
    engine=ENGINES,
    tls=st.sampled_from([None, False]),
    provision=st.booleans(),
    context=st.booleans(),
    jump=st.just("") | WORDS.map("host:h{}".format),
    addresses=st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), max_size=3).map(tuple),
)


@given(SPECS, SPECS)
def test_what_was_changed_to_what_the_file_says_differs_no_more(old: MachineSpec, new: MachineSpec) -> None:
    new = replace(new, driver=old.driver, options=old.options)
    # What is set up here speaks TLS.
    assume(not (new.driver == "generic" and new.provision and new.tls is False))
    wanted, there = FleetHost("orion", new), made(FleetHost("orion", old))
    before = one(wanted, there)
    there.spec, there.tls = new, made(wanted).tls
    assert one(wanted, parse_record("orion", there.dump())).action is Action.LEAVE
    assert (before.action is Action.CHANGE) == bool(before.differences)


SAMPLES: dict[str, list[str] | str | bool] = {
    "options": ["debug=true"],
    "insecure_registries": ["registry.lan:5000"],
    "registry_mirrors": ["http://mirror.lan"],
    "env": ["A=1"],
    "tls_sans": ["orion.local"],
    "install": "distro",
    "install_url": "https://get.lan",
    "version": "28",
    "storage_driver": "overlay2",
    "bind": ADDRESS,
    "ssh_only": True,
    "os": "debian",
}


@pytest.mark.parametrize("key", [option.key for option in ENGINE_FLAGS])
def test_an_engine_is_said_to_restart_where_provisioning_gives_it_something_new(key: str) -> None:
    engine = EngineOptions.load({key: SAMPLES[key]})
    before, identity = given_to_host(EngineOptions(), Identity())
    after, identity = given_to_host(engine, identity)
    [said] = one(host(engine=engine), machine()).differences
    assert said.restarts == (before != after)
    [back] = one(host(), machine(engine=engine)).differences
    again, _ = given_to_host(EngineOptions(), identity)
    assert back.restarts == (after != again)


def given_to_host(engine: EngineOptions, have: Identity) -> tuple[set[tuple[str, bytes | None]], Identity]:
    """The files that a host would be given, and the certificates among them."""
    facts, there = recorded("provisioned"), machine(engine=engine)
    identity = renewed_identity(there, have, [ADDRESS, *engine.tls_sans])
    target = target_of(there, identity)
    files = engine_config.changed_files(facts, target, engine_goal.goal(facts, target))
    return {(file.path, file.content) for file in files}, identity
