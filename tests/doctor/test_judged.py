"""What is judged over facts: pure functions, over hosts that were recorded in the lab and made worse."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.check import Verdict
from machinectl.doctor import engine_configuration, host_condition
from machinectl.doctor.host_condition import Shell
from machinectl.engine.endpoint import Endpoint
from machinectl.engine.tls import import_hint
from machinectl.errors import SET_CLOCK
from machinectl.hosts.identity import Identity
from machinectl.machines.holders import ACTIVE, ADDING, ENDING, AccessHolder
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.health import FileSystem, Health, Memory
from machinectl.provision.facts.host_facts import (
    DROP_INS,
    OWN_DIRECTORY,
    Facts,
    HostFile,
    ServiceState,
    Sum,
    parse_facts,
)
from machinectl.provision.host_changes import FileCreated
from machinectl.provision.steps.engine_config import CERTIFICATES, config_change
from machinectl.provision.steps.engine_goal import goal
from machinectl.provision.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.check import Check
    from machinectl.provision.host_changes import ConfigMerged

FACTS = Path(__file__).parents[1] / "provision" / "facts"
DAEMON_JSON = "/etc/docker/daemon.json"
SUDO, ROOT = Shell("orion", "sudo"), Shell("orion")
GB = 1 << 20
SOCKET = frozenset({"docker.socket"})
OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN


@cache
def identity() -> Identity:
    ca = certs.new_ca("test")
    server, client = certs.issue_server(ca, ["192.168.0.29"]), certs.issue_client(ca, "test")
    return Identity(ca.certificate, client.certificate, client.key, ca.key, server.certificate, server.key)


def recorded(name: str, **different: Any) -> Facts:
    return replace(parse_facts((FACTS / name).read_bytes()), **different)


def target(**asked: Any) -> Target:
    return Target("192.168.0.29", certificates=identity().on_host, **asked)


def left(asked: Target | None = None) -> tuple[Facts, ConfigMerged]:
    """A host as it was left by machinectl, and what is on record of its daemon.json."""
    bare = recorded("docker")
    wanted = goal(bare, asked or target())
    assert wanted.drop_in is not None
    files = {
        DAEMON_JSON: HostFile("644", 0, 0, wanted.config),
        wanted.drop_in_path: HostFile("644", 0, 0, wanted.drop_in),
    }
    sums = {
        f"{OWN_DIRECTORY}/{name}": Sum(mode, 0, 0, hashlib.sha256(identity().on_host[name]).hexdigest())
        for name, mode in CERTIFICATES.items()
    }
    return replace(bare, files=files, sums=sums), config_change(bare, wanted.ours, wanted.config)


def edited(facts: Facts, **keys: Any) -> Facts:
    """A host whose daemon.json somebody has edited; None takes a key out."""
    config = {**json.loads(facts.files[DAEMON_JSON].content), **keys}
    text = json.dumps({key: value for key, value in config.items() if value is not None}).encode()
    return replace(facts, files={**facts.files, DAEMON_JSON: HostFile("644", 0, 0, text)})


def against_record(
    facts: Facts,
    change: ConfigMerged,
    asked: Target | None = None,
    *,
    made: Sequence[str] = (),
    is_unfinished: bool = False,
    news: str = "",
) -> Check:
    changes = [change, *map(FileCreated, made)]
    return engine_configuration.configuration_check(
        facts, asked or target(), changes, SUDO, is_unfinished=is_unfinished, news=news
    )


UP = "Set it up again: machinectl provision orion"


@pytest.mark.parametrize(
    ("keys", "more", "verdict", "seen", "hint"),
    [
        ({}, {}, OK, "as recorded", ""),
        ({"tlsverify": False}, {}, BROKEN, 'changed by hand: "tlsverify" is false', UP),
        ({"hosts": ["fd://"]}, {}, BROKEN, 'changed by hand: "hosts" is ["fd://"]', UP),
        ({"debug": True}, {}, OK, "as recorded; set by others: debug", ""),
        ({}, {"asked": target(labels={"rack": "7"})}, BROKEN, 'differs from the record: "labels" is not set', UP),
        (
            {"tlsverify": None},
            {"is_unfinished": True},
            BROKEN,
            'not all changes reached the host: "tlsverify" is not set',
            "Continue: machinectl provision orion",
        ),
        ({"tlsverify": None}, {"news": "bob@desk"}, BROKEN, 'changed by bob@desk: "tlsverify" is not set', UP),
    ],
)
def test_a_configuration_is_compared_with_the_record(
    keys: dict[str, Any], more: dict[str, Any], verdict: Verdict, seen: str, hint: str
) -> None:
    facts, change = left()
    found = against_record(edited(facts, **keys) if keys else facts, change, **more)
    assert (found.verdict, found.seen, found.hint) == (verdict, seen, hint)


def test_a_record_of_what_was_there_that_is_none_claims_nothing_of_the_host() -> None:
    facts, change = left()
    assert against_record(edited(facts, debug=True), replace(change, before="{")).verdict is OK


def test_a_secret_in_a_key_is_masked() -> None:
    facts, change = left(target(registry_mirrors=("https://u:geheim@mirror",)))
    wrong = edited(facts, **{"registry-mirrors": ["https://u:geheim2@mirror"]})
    found = against_record(wrong, change, target(registry_mirrors=("https://u:geheim@mirror",)))
    assert "registry-mirrors" in found.seen
    assert "geheim" not in found.seen


def test_files_that_are_missing_or_others_are_told() -> None:
    facts, change = left()
    own, later = f"{OWN_DIRECTORY}/server.pem", f"{DROP_INS}/zzz-other.conf"
    drop_in = next(path for path in facts.files if path != DAEMON_JSON)
    config_alone = replace(facts, files={DAEMON_JSON: facts.files[DAEMON_JSON]})
    other_certificate = replace(config_alone, sums={**facts.sums, own: Sum("600", 0, 0, "0" * 64)})
    emptied = replace(facts, files={**facts.files, drop_in: HostFile("644", 0, 0, b"")})
    overridden = replace(facts, drop_ins=(*facts.drop_ins, later))
    differs = "differs from the record: "
    for host, made, seen in (
        (other_certificate, [drop_in], f"{differs}{own} is not as recorded; {drop_in} is missing"),
        (emptied, [drop_in], f"{differs}{drop_in} is not as recorded"),
        (replace(facts, files={drop_in: facts.files[drop_in]}), [], f"changed by hand: {DAEMON_JSON} is missing"),
        (config_alone, [], f"{differs}{drop_in} is not written yet"),
        (overridden, [], f"{differs}{later} overrides {drop_in}"),
    ):
        assert against_record(host, change, made=made).seen == seen
    broken = replace(facts, files={**facts.files, DAEMON_JSON: HostFile("644", 0, 0, b"{")})
    assert "is not JSON" in against_record(broken, change).seen
    # Live-restore that a restart would borrow is no difference.
    in_use = replace(edited(facts, tlsverify=None), containers=frozenset({"a"}))
    assert against_record(in_use, change).seen == 'changed by hand: "tlsverify" is not set'
    without = replace(target(), certificates={})
    assert engine_configuration.configuration_check(facts, without, [change], SUDO).verdict is UNKNOWN


def test_what_was_changed_after_the_engine_was_started_may_not_be_in_effect() -> None:
    facts, change = left()
    in_use = replace(facts, edited=True, containers=frozenset({"a", "b"}))
    restart = "machinectl ssh orion sudo systemctl restart docker"
    off = replace(in_use, info={**facts.info, "LiveRestoreEnabled": False})
    # An engine that refuses the change would not start again, and regenerate-certs asks it first.
    keeping = "Apply it with new certificates: machinectl regenerate-certs orion"
    for host, hint in (
        (off, f"{keeping}; or by a restart, which stops 2 containers: {restart}"),
        # A Swarm node has no live-restore.
        (replace(off, swarm=True), f"Apply it by a restart, which stops 2 containers: {restart}"),
        (replace(in_use, info={**facts.info, "LiveRestoreEnabled": True}), f"Apply it by a restart: {restart}"),
        (replace(in_use, containers=frozenset()), f"Apply it by a restart: {restart}"),
    ):
        found = against_record(host, change)
        assert (found.verdict, found.hint) == (UNKNOWN, hint)


def test_a_unit_that_systemd_has_not_read_is_read_before_it_is_set_up_again() -> None:
    facts, change = left()
    found = against_record(edited(replace(facts, unread=True), tlsverify=None), change)
    assert found.hint.split("; ") == [
        "Reload the unit: machinectl ssh orion sudo systemctl daemon-reload",
        "then set it up again: machinectl provision orion",
    ]


@pytest.mark.parametrize(
    ("different", "verdict", "seen", "hint"),
    [
        ({}, OK, "docker.service is running and enabled at boot", ""),
        ({"dockerd": ""}, BROKEN, "there is no Docker Engine", "machinectl provision orion"),
        ({"service": ServiceState(loaded=True)}, BROKEN, "is not running", "Start it: machinectl provision orion"),
        (
            {"service": ServiceState(loaded=True, active=True)},
            BROKEN,
            "not enabled at boot",
            "machinectl provision orion",
        ),
        ({"unread": True}, UNKNOWN, "systemd has not reloaded it", "sudo systemctl daemon-reload"),
        ({"masked": SOCKET}, BROKEN, "docker.socket: masked", "systemctl unmask docker.socket;"),
        (
            {"masked": SOCKET, "containers": frozenset({"ab", "cd"})},
            BROKEN,
            "docker.socket: masked",
            "which stops 2 containers: machinectl ssh orion sudo systemctl restart docker.socket docker",
        ),
        ({"masked": SOCKET, "unit": "# /x\n[Service]\nExecStart=/usr/bin/dockerd\n"}, OK, "is running", ""),
        ({"masked": frozenset({"docker.service"}), "unit": ""}, BROKEN, "docker.service: masked", "systemctl start"),
    ],
)
def test_the_service_of_an_engine(different: dict[str, Any], verdict: Verdict, seen: str, hint: str) -> None:
    found = host_condition.service_check(recorded("docker", **different), SUDO, ours=True)
    assert found.verdict is verdict
    assert seen in found.seen
    assert hint in found.hint


def test_of_a_host_that_others_set_up_nothing_is_provisioned() -> None:
    stopped = recorded("docker", service=ServiceState(loaded=True))
    assert "machinectl ssh orion systemctl start docker" in host_condition.service_check(stopped, ROOT, ours=False).hint
    alpine = host_condition.service_check(replace(stopped, init="openrc"), ROOT, ours=False)
    assert alpine.hint == "Start it: machinectl ssh orion rc-service docker start"


@pytest.mark.parametrize(
    ("is_on", "swarm", "configured", "owed", "verdict", "hint"),
    [
        (True, False, True, False, OK, ""),
        (False, False, True, False, BROKEN, "machinectl ssh orion sudo systemctl reload docker"),
        (False, False, False, False, OK, ""),
        (True, False, True, True, UNKNOWN, "machinectl provision orion"),
        (None, False, True, False, UNKNOWN, ""),
        (False, True, True, False, UNKNOWN, ""),
    ],
)
def test_live_restore(
    is_on: bool | None, swarm: bool, configured: bool, owed: bool, verdict: Verdict, hint: str
) -> None:
    host = recorded("docker", info={} if is_on is None else {"LiveRestoreEnabled": is_on}, swarm=swarm)
    found = host_condition.live_restore_check(host, SUDO, owed=owed, configured=configured)
    assert found.verdict is verdict
    assert hint in found.hint


def test_containers_that_the_engine_does_not_know_are_broken() -> None:
    found = host_condition.forgotten_containers_check(
        replace(recorded("docker"), containers=frozenset({"a", "b"}), info={"ContainersRunning": 0}), SUDO
    )
    assert found.verdict is Verdict.BROKEN
    assert "2 containers run without the engine's knowledge" in found.seen
    assert "systemctl restart docker" in found.hint


def test_a_clock_that_is_off_by_more_than_it_drifts_is_broken() -> None:
    assert host_condition.clock_check(timedelta(seconds=0.4), SUDO).seen == "the same as the clock here"
    assert host_condition.clock_check(timedelta(seconds=-100), SUDO).verdict is OK
    for off, seen in ((timedelta(minutes=6), "6 minutes ahead of"), (timedelta(days=-3), "3 days behind")):
        found = host_condition.clock_check(off, SUDO)
        assert found.verdict is BROKEN
        assert seen in found.seen
        assert found.hint.endswith(f": machinectl ssh orion sudo {SET_CLOCK}")
    assert "such as chrony: on the host, timedatectl" in host_condition.clock_check(timedelta(days=9), None).hint


@pytest.mark.parametrize(
    ("free", "inodes", "inodes_free", "verdict"),
    [
        (50 * GB, 1000, 900, OK),
        (50 * GB, 0, 0, OK),
        (9 * GB, 1000, 900, UNKNOWN),
        (0, 1000, 900, BROKEN),
        (50 * GB, 1000, 90, UNKNOWN),
        (50 * GB, 1000, 0, BROKEN),
    ],
)
def test_a_disk_is_full_of_bytes_or_of_files(free: int, inodes: int, inodes_free: int, verdict: Verdict) -> None:
    found = host_condition.disk_check(FileSystem(100 * GB, free, inodes, inodes_free, "/dev/sda1", "/"), SUDO)
    assert found.verdict is verdict
    assert ("sudo du -xhd1 /" in found.hint) is (verdict is not OK)


def test_images_are_removed_only_for_the_disk_that_holds_them() -> None:
    full = FileSystem(100 * GB, 0, 0, 0, "tmpfs", "/etc/docker")
    for has_data in (True, False):
        found = host_condition.disk_check(full, SUDO, has_data=has_data)
        assert ("docker system prune" in found.hint) is has_data


@pytest.mark.parametrize("directory", ["/srv/my data", "/; rm -rf ~ '`id`$(id)", "/x\\"])
def test_what_a_host_calls_a_directory_is_one_word_to_both_shells(directory: str) -> None:
    found = host_condition.disk_check(FileSystem(100 * GB, 9 * GB, 0, 0, "/dev/sda1", directory), SUDO)
    here = shlex.split(found.hint.removeprefix("See what fills it: "))
    assert here[:3] == ["machinectl", "ssh", "orion"]
    assert shlex.split(" ".join(here[3:])) == ["sudo", "du", "-xhd1", directory]


def test_memory_that_has_run_out() -> None:
    found = host_condition.memory_check(Memory(8 * GB, 4 * GB, 0, 0), SUDO)
    assert (found.verdict, found.seen) == (OK, "4GiB of 8GiB available")
    assert host_condition.memory_check(Memory(8 * GB, GB // 2, 2 * GB, 2 * GB), SUDO).verdict is UNKNOWN
    assert host_condition.memory_check(Memory(8 * GB, GB // 50, 2 * GB, 0), SUDO).verdict is BROKEN
    assert host_condition.memory_check(Memory(0, 0, 0, 0), SUDO).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("reboot", "replaced", "interrupted", "verdict", "hint"),
    [
        (None, (), False, OK, ""),
        ((), (), False, UNKNOWN, "machinectl restart orion"),
        (("linux-image",), ("dockerd",), False, UNKNOWN, "machinectl restart orion"),
        (None, ("containerd", "dockerd"), False, UNKNOWN, "machinectl ssh orion sudo systemctl restart docker"),
        (None, ("containerd",), False, UNKNOWN, "machinectl ssh orion sudo systemctl restart containerd"),
        (None, (), True, BROKEN, "machinectl ssh orion sudo dpkg --configure -a"),
    ],
)
def test_what_packages_wait_for(
    reboot: tuple[str, ...] | None, replaced: tuple[str, ...], interrupted: bool, verdict: Verdict, hint: str
) -> None:
    health = Health((), Memory(0, 0, 0, 0), reboot, replaced, interrupted)
    found = host_condition.restart_check(health, SUDO, "systemd")
    assert found.verdict is verdict
    assert found.hint.endswith(hint)


def on_disk(*files: bytes) -> Facts:
    there = Sum("600", 0, 0, hashlib.sha256(b"".join(files)).hexdigest())
    return recorded("docker", sums={f"{OWN_DIRECTORY}/server.pem": there} if files else {})


def test_a_certificate_is_the_same_on_record_on_the_wire_and_on_the_disk() -> None:
    mine = identity()
    ours = on_disk(mine.server, mine.server_key)
    other = certs.issue_server(certs.new_ca("other"), ["192.168.0.29"])
    found = engine_configuration.served_check(mine.server, mine, ours, SUDO)
    assert (found.verdict, found.seen.partition(":")[0]) == (OK, "as recorded")
    assert engine_configuration.served_check(mine.server, mine, None, SUDO).seen.startswith("as recorded: ")
    found = engine_configuration.served_check(mine.server, mine, on_disk(other.certificate), SUDO)
    assert (found.verdict, found.hint) == (BROKEN, "Restore it: machinectl provision orion")
    found = engine_configuration.served_check(other.certificate, mine, ours, SUDO)
    assert found.verdict is BROKEN
    assert found.hint == "Restart the engine: machinectl ssh orion sudo systemctl restart docker"
    found = engine_configuration.served_check(other.certificate, mine, on_disk(other.certificate), SUDO)
    assert found.hint == "Send the certificate on record: machinectl provision --force orion"
    found = engine_configuration.served_check(mine.server, mine, on_disk(), SUDO)
    assert "the host's disk has no certificate" in found.seen


def test_a_served_certificate_is_looked_for_where_the_engine_reads_it() -> None:
    mine = identity()
    path = "/etc/docker/server.pem"
    unit = f"# /x/docker.service\n[Service]\nExecStart=/usr/sbin/dockerd --tlsverify --tlscert {path}\n"
    imported = recorded("docker", unit=unit, sums={path: Sum("600", 0, 0, hashlib.sha256(mine.server).hexdigest())})
    found = engine_configuration.served_check(mine.server, mine, imported, SUDO)
    assert (found.verdict, found.seen.partition(":")[0]) == (OK, "as recorded")


def test_nobody_is_told_to_take_a_host_from_its_owner_without_a_word() -> None:
    mine = identity()
    other = certs.issue_server(certs.new_ca("other"), ["192.168.0.29"]).certificate
    found = engine_configuration.served_check(other, mine, on_disk(other), SUDO, lost_to='the machine "rigel"')
    assert found.seen.endswith('the machine "rigel" has set the host up since')
    assert found.hint.startswith("Forget this machine, and leave the host to its owner: machinectl rm --forget orion;")
    assert engine_configuration.served_check(other, mine, None, SUDO).hint.endswith(": machinectl provision orion")


def test_a_certificate_that_is_served_runs_out() -> None:
    mine = identity()
    later = datetime.now(UTC) + timedelta(days=certs.SERVER_DAYS - 9)
    found = engine_configuration.served_check(mine.server, mine, None, SUDO, later)
    assert (found.verdict, found.hint) == (UNKNOWN, "Renew it: machinectl renew --due orion")
    found = engine_configuration.served_check(mine.server, mine, None, SUDO, later + timedelta(days=20))
    assert found.verdict is BROKEN
    theirs = replace(mine, server=b"", server_key=b"")
    # As `version` says it of an engine that refuses the client.
    told = engine_configuration.served_check(mine.server, theirs, None, SUDO, later).hint
    assert told == import_hint(Endpoint("tcp://192.0.2.1:2376", name="orion"))
    assert engine_configuration.served_check(mine.server, theirs, None, SUDO).verdict is OK
    assert engine_configuration.served_check(b"none", mine, None, SUDO).verdict is UNKNOWN


OWN, ALICE, CI = (certs.new_ca(f"machinectl orion {name}").certificate for name in ("own", "alice", "ci"))
GIVE_UP = "Repeat the grant, or give it up: machinectl access end bob orion"


def holder(who: str, ca: bytes, state: str = ACTIVE) -> AccessHolder:
    return AccessHolder(who, ca=certs.fingerprint(ca) if ca else "", state=state)


def accepted(text: bytes, *holders: AccessHolder, edited: bool = False) -> Check | None:
    host = replace(recorded("provisioned"), clients_edited=edited)
    if text:
        host = replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, text)})
    return engine_configuration.accepted_clients_check(host, OWN, holders, SUDO)


@pytest.mark.parametrize(
    ("text", "holders", "edited", "verdict", "seen", "hint"),
    [
        (OWN + ALICE, [holder("alice", ALICE)], False, OK, "accepts this computer, alice", ""),
        (OWN + CI, [], False, OK, "not on record: CN=machinectl orion ci", ""),
        (
            OWN + ALICE,
            [holder("alice", ALICE, ENDING)],
            False,
            BROKEN,
            "the access of alice was ended here",
            "machinectl access end alice orion",
        ),
        (OWN, [holder("alice", ALICE, ENDING)], False, OK, "accepts this computer", ""),
        *(
            (text, [holder("alice", ALICE)], False, BROKEN, "has no certificates", "machinectl provision orion")
            for text in (b"", b"#")
        ),
        (OWN, [holder("alice", ALICE)], False, UNKNOWN, "no longer accepts alice", "access end alice orion"),
        (
            OWN + ALICE[:300] + CI,
            [holder("alice", ALICE), holder("ci", CI)],
            False,
            BROKEN,
            "1 certificate in /etc/docker/machinectl/clients.pem cannot be read",
            "then: machinectl provision orion",
        ),
        *(
            (text, [holder("bob", b"", ADDING)], False, UNKNOWN, "the access of bob is not added yet", GIVE_UP)
            for text in (b"", OWN)
        ),
        (OWN, [], True, UNKNOWN, "changed after the engine started", "machinectl provision orion"),
    ],
)
def test_who_is_accepted_is_held_against_the_record(
    text: bytes, holders: list[AccessHolder], edited: bool, verdict: Verdict, seen: str, hint: str
) -> None:
    check = accepted(text, *holders, edited=edited)
    assert check is not None
    assert (check.title, check.verdict) == ("Access", verdict)
    assert seen in check.seen
    assert hint in check.hint


def test_whom_a_list_of_the_hosts_owner_shuts_out_is_named() -> None:
    assert accepted(b"") is None
    host = replace(recorded("provisioned"), trusted=OWN + CI)
    host = replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, OWN + ALICE)})
    found = engine_configuration.accepted_clients_check(host, OWN, [holder("alice", ALICE)], SUDO)
    assert found
    assert (found.verdict, found.seen.endswith("and rejects alice")) == (BROKEN, True)
    assert found.hint.endswith("machinectl provision orion")
