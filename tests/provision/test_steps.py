"""What each step comes to on hosts recorded in the lab, and on hosts made from them that no lab has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.errors import CheckFailed, MachineError
from machinectl.provision import firewall, preflight
from machinectl.provision.decision import tail
from machinectl.provision.facts.host_facts import (
    Facts,
    HostFile,
    Process,
    ServiceState,
    Sum,
    os_release,
    parse_facts,
)
from machinectl.provision.host_changes import (
    ConfigMerged,
    PackageInstalled,
    PortOpened,
    ServiceEnabled,
    ServiceStarted,
    merge_changes,
    of_kind,
)
from machinectl.provision.steps import (
    engine_config,
    engine_goal,
    installation,
    live_restore,
    undo_steps,
)
from machinectl.provision.steps.setup_steps import side_effects
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target
from machinectl.ssh.runner import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.decision import Decision
    from machinectl.provision.host_changes import Change
    from machinectl.provision.job import Job

HERE = Path(__file__).parent
DAEMON_JSON = "/etc/docker/daemon.json"
NFT = "chain inet fw input\n\t\ttype filter hook input priority 0; policy drop;\n"
ENGINE = Process(79, 0, "0::/system.slice/docker.service")
NO_SCRIPT = "https://unreachable.example"


@cache
def authority() -> certs.Pair:
    return certs.new_ca("test")


@cache
def files() -> dict[str, bytes]:
    server = certs.issue_server(authority(), ["192.168.0.29"])
    return {"ca.pem": authority().certificate, "server.pem": server.certificate + server.key}


def target(**asked: Any) -> Target:
    return Target("192.168.0.29", certificates=files(), **asked)


def host(name: str, **different: Any) -> Facts:
    facts = parse_facts((HERE / "facts" / name).read_bytes())
    return replace(facts, **{"clock": int(datetime.now(UTC).timestamp()), **different})


def off(**different: Any) -> Facts:
    """An engine that is installed and does not run."""
    return host("docker", service=ServiceState(loaded=True), **different)


def with_config(name: str, config: Any, **different: Any) -> Facts:
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return host(name, files={DAEMON_JSON: HostFile("600", 0, 0, text)}, **different)


def with_unit(start: str, **different: Any) -> Facts:
    return host("docker", unit=f"# /etc/systemd/system/docker.service\n[Service]\nExecStart={start}\n", **different)


def no_script(_: str) -> bytes | None:
    return None


def configured(facts: Facts, asked: Target | None = None, allowed: Allowed = NOTHING_SPECIAL) -> Decision:
    decision = engine_config.configure(facts, asked or target(), allowed)
    assert decision is not None
    return decision


def undo(facts: Facts, changes: Sequence[Change], *, purge_engine: bool, **once: Any) -> list[Decision]:
    """Decide each step of undoing on the host as the steps before it leave it."""
    decisions = []
    for step in undo_steps.undo_steps(purge_engine=purge_engine, allowed=Allowed(**once)):
        decision = step(facts, changes)
        if decision:
            decisions.append(decision)
            facts, changes = decision.after, merge_changes(changes, decision.changes)
    return decisions


def sent(job: Job) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(job.archive)) as archive:
        members = archive.getmembers()
        assert all(member.mode == 0o600 and member.uid == 0 for member in members)
        read = {member.name: archive.extractfile(member) for member in members}
        return {name: file.read() for name, file in read.items() if file}


def manifest(job: Job) -> list[str]:
    return sent(job)["manifest"].decode().splitlines()


def put(job: Job, path: str) -> bytes:
    number = next(index for index, line in enumerate(manifest(job), 1) if line.endswith(f" {path}"))
    return sent(job)[str(number)]


# Checks


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (host("docker", uid=1000), "not run as root"),
        (host("docker", init="other"), "neither systemd nor OpenRC"),
        (host("bare", snap=True), "the snap"),
        (host("docker", no_way="timed out"), "could not be reached from here: timed out"),
        (
            host("docker", no_way="refused", refused=True, firewalls={"iptables": "-A INPUT -j REJECT"}),
            "could not be reached from here",
        ),
        (host("bare", packages={"podman-docker": "4.3"}), "podman"),
        (host("bare", impostor="/run/docker.sock"), "podman.*/run/docker.sock"),
        (
            host("bare", processes=(Process(7, 1000, "0::/user.slice/x"),)),
            "rootless .user 1000",
        ),
        (host("bare", processes=(Process(7, 0, "0::/user.slice/x"),)), "docker.service did not start"),
        (
            host("bare", processes=(Process(7, 0, "0::/system.slice/docker-custom.service"),)),
            "docker.service did not start",
        ),
        (
            off(processes=(Process(7, 1000, "0::/user.slice/user@1000.service/docker.service"),)),
            "rootless .user 1000",
        ),
        (host("docker", service=ServiceState(), processes=()), "no docker.service"),
        (with_config("docker", b"{"), "not JSON"),
        (with_config("docker", {"tlsverify": True, "tlscacert": "/x/ca.pem"}), "already uses TLS"),
        (with_config("docker", {"tlscacert": "/etc/docker/machinectl/ca.pem"}), "another computer"),
        (with_unit("/usr/bin/dockerd --tlsverify --tlscacert=/x"), r"another CA \(/x\)"),
        (host("docker", listeners=(0,)), r"Port 2376 on the host is taken by another program"),
    ],
)
def test_a_host_that_cannot_be_provisioned_is_refused_with_its_reason(facts: Facts, cause: str) -> None:
    with pytest.raises(CheckFailed, match=cause) as raised:
        preflight.check_all(facts, target())
    assert raised.value.hint


@pytest.mark.parametrize(
    "facts",
    [
        host("bare"),
        host("docker"),
        host("docker-with-a-container"),
        host("swarm-node"),
        host(
            "docker",
            processes=(ENGINE, Process(9, 0, "0::/docker/ab")),
        ),
        host("docker", processes=(Process(8, 1000, "0::/user.slice"),)),
        host("docker", processes=(ENGINE, Process(7, 0, "0::/system.slice/docker-custom.service"))),
        host("bare", processes=(Process(7, 0, f"0::/system.slice/docker-{'ab' * 32}.scope/init"),)),
        # A hook of a container that starts.
        off(processes=(Process(546, 0, "0::/system.slice/containerd.service"),)),
        with_config("docker", {"tls": False}),
    ],
)
def test_a_host_that_can_be_provisioned_is_not_refused(facts: Facts) -> None:
    preflight.check_all(facts, target())


def test_a_host_whose_ca_of_ours_was_lost_is_not_taken_for_somebody_else_s() -> None:
    facts = with_config("docker", {"tlscacert": "/etc/docker/machinectl/ca.pem"})
    preflight.check_all(facts, target(own_cas=frozenset({"ab"})))
    other = replace(facts, sums={"/etc/docker/machinectl/ca.pem": Sum("644", 0, 0, "cd")})
    with pytest.raises(CheckFailed, match="another computer"):
        preflight.check_all(other, target(own_cas=frozenset({"ab"})))


def test_a_refusal_is_no_closed_port_unless_the_firewall_rejects() -> None:
    silent = {"iptables": "-P INPUT DROP"}
    preflight.check_all(host("docker", no_way="refused", refused=True), target())
    preflight.check_all(host("docker", no_way="refused", refused=True, firewalls=silent), target())
    preflight.check_all(host("docker", no_way="timed out", firewalls=silent), target(), Allowed(open_firewall=True))
    with pytest.raises(CheckFailed, match="timed out") as raised:
        preflight.check_all(host("docker", no_way="timed out", firewalls=silent), target(jump=True))
    assert "iptables -I INPUT" in raised.value.hint
    assert "--ssh-only" in raised.value.hint


def test_an_engine_with_containers_is_not_restarted_on_a_full_disk() -> None:
    full = host("docker-with-a-container", full=("/srv/docker",))
    with pytest.raises(CheckFailed) as raised:
        configured(full)
    assert raised.value.cause.endswith("/srv/docker. A restart of the engine would lose 1 running container")
    assert raised.value.hint.endswith("--force")
    assert configured(full, allowed=Allowed(force=True)).job.variables["containers"] == ""
    # Nothing is lost where nothing runs, or if there is room.
    assert configured(host("docker", full=("/run",))).job.variables["containers"] == ""
    assert configured(host("docker-with-a-container")).job.variables["containers"] == "keep"


def test_containers_that_the_engine_has_forgotten_are_not_said_to_keep_running() -> None:
    facts = host("docker-with-a-container")
    facts = replace(facts, info={**facts.info, "ContainersRunning": 0, "ContainersPaused": 0})
    assert facts.forgotten == 1
    assert any("does not know 1 running container on the host" in each for each in configured(facts).warnings)
    assert replace(facts, info={**facts.info, "ContainersPaused": 1}).forgotten == 0
    assert replace(facts, info={}).forgotten == 0


@pytest.mark.parametrize(("days", "words"), [(-731, "731 days behind"), (900, "900 days ahead of")])
def test_a_clock_for_which_our_certificates_are_not_valid_is_refused(days: int, words: str) -> None:
    clock = int((datetime.now(UTC) + timedelta(days=days)).timestamp())
    with pytest.raises(CheckFailed, match=words):
        preflight.check_all(host("docker", clock=clock), target())


def test_tls_with_our_own_ca_is_not_somebody_elses() -> None:
    digest = hashlib.sha256(files()["ca.pem"]).hexdigest()
    facts = with_config("docker", {"tlsverify": True, "tlscacert": "/x"}, sums={"/x": Sum("644", 0, 0, digest)})
    preflight.check_all(facts, target())
    other = replace(facts, sums={"/x": Sum("644", 0, 0, "0" * 64)})
    with pytest.raises(CheckFailed):
        preflight.check_all(other, target())
    preflight.check_all(other, target(), Allowed(force=True))
    preflight.check_all(other, target(own_cas=frozenset({"0" * 64})))


# Installing


def test_auto_takes_dockers_script_where_its_url_answers_and_says_so() -> None:
    decision = installation.decide(host("bare"), target(version="28.1"), lambda _: b"#!/bin/sh\n")
    assert decision is not None
    assert "Docker's script, https://get.docker.com" in decision.title
    assert decision.details[0] == "sh ./script --version 28.1"
    assert sent(decision.job)["script"] == b"#!/bin/sh\n"
    assert decision.unforeseen


@pytest.mark.parametrize(("url", "warns"), [("http://get.lan/docker", True), ("https://get.lan/docker", False)])
def test_a_script_that_comes_over_plain_http_gets_a_warning(url: str, warns: bool) -> None:
    decision = installation.decide(host("bare"), target(install="docker", install_url=url), lambda _: b"#!/bin/sh\n")
    assert decision
    assert ["is not https" in warning for warning in decision.warnings] == [True] * warns


def test_auto_takes_the_distributions_package_where_the_url_does_not_answer_and_says_so() -> None:
    decision = installation.decide(host("bare"), target(), no_script)
    assert decision is not None
    assert "the distribution's package docker.io" in decision.title
    assert decision.changes == (PackageInstalled("docker.io"),)


def test_dockers_script_that_was_asked_for_and_does_not_answer_is_an_error() -> None:
    with pytest.raises(MachineError, match=r"unreachable\.example does not answer"):
        installation.decide(host("bare"), target(install="docker", install_url=NO_SCRIPT), no_script)


def test_a_distribution_without_a_package_says_where_there_is_one() -> None:
    rocky = host("bare", os_release=os_release((HERE / "osrelease/rocky-9").read_text()))
    with pytest.raises(CheckFailed, match="no package of Docker Engine"):
        installation.decide(rocky, target(install="distro"), no_script)


def test_the_script_is_not_tried_on_a_system_that_it_does_not_know() -> None:
    alpine = host("bare", os_release=os_release((HERE / "osrelease/alpine-3.20").read_text()), init="openrc")

    def script(url: str) -> bytes | None:
        raise AssertionError(url)

    decision = installation.decide(alpine, target(), script)
    assert decision is not None
    assert decision.details == (
        "apk update",
        "apk add --wait 300 docker",
        "rc-update add docker default && rc-service docker start",
    )


def test_packages_that_dockers_would_replace_are_kept_or_named() -> None:
    node = host("bare", packages={"containerd": "1.7.24", "runc": "1.1.15"})
    decision = installation.decide(node, target(), lambda _: b"#!/bin/sh\n")
    assert decision is not None
    assert decision.title == "Installing Docker Engine: the distribution's package docker.io"
    with pytest.raises(CheckFailed, match=r"Docker's packages would replace containerd and runc") as raised:
        installation.decide(node, target(install="docker"), lambda _: b"#!/bin/sh\n")
    assert "--engine-install distro" in raised.value.hint
    rocky = replace(node, os_release={"ID": "rocky"})
    with pytest.raises(CheckFailed, match="would replace containerd") as raised:
        installation.decide(rocky, target(), lambda _: b"#!/bin/sh\n")
    assert "remove runc" in raised.value.hint
    # Docker's own containerd is what its engine uses.
    theirs = host("bare", packages={"containerd.io": "1.7.27"})
    decision = installation.decide(theirs, target(), lambda _: b"#!/bin/sh\n")
    assert decision is not None
    assert "Docker's script" in decision.title
    with pytest.raises(MachineError, match="does not answer") as unreached:
        installation.decide(theirs, target(install="docker"), no_script)
    assert "--engine-install distro" not in unreached.value.hint


def test_proxies_reach_the_installation_and_no_argument_or_script_holds_them() -> None:
    asked = target(env=("HTTP_PROXY=http://u:secret@p:1", "A=b"), install="distro")
    decision = installation.decide(host("bare"), asked, no_script)
    assert decision is not None
    assert sent(decision.job)["environment"] == b"http_proxy=http://u:secret@p:1\nHTTP_PROXY=http://u:secret@p:1\n"
    assert "secret" not in decision.job.text
    assert "secret" not in repr(decision)
    assert "secret" not in repr(asked)


# Keeping containers


def test_running_containers_are_kept_by_a_reload_first() -> None:
    facts = with_config("docker-with-a-container", {"b": 1, "a": 2})
    decision = live_restore.borrow(facts, target())
    assert decision is not None
    assert decision.job.variables["action"] == "reload"
    assert manifest(decision.job) == [f"600 {DAEMON_JSON}.before-machinectl", f"600 {DAEMON_JSON}"]
    assert put(decision.job, DAEMON_JSON) == b'{\n    "b": 1,\n    "a": 2,\n    "live-restore": true\n}\n'
    assert put(decision.job, f"{DAEMON_JSON}.before-machinectl") == b'{"b": 1, "a": 2}'
    assert live_restore.borrow(decision.after, target()) is None


@pytest.mark.parametrize("name", ["docker", "swarm-node", "bare", "provisioned"])
def test_without_containers_or_on_swarm_nothing_is_reloaded(name: str) -> None:
    assert live_restore.borrow(host(name), target()) is None


# Configuring


def test_a_fresh_engine_gets_certificates_drop_in_and_daemon_json_in_an_order_that_can_be_cut_anywhere() -> None:
    decision = configured(host("docker"))
    assert manifest(decision.job) == [
        "644 /etc/docker/machinectl/ca.pem",
        "600 /etc/docker/machinectl/server.pem",
        "644 /etc/systemd/system/docker.service.d/zz-machinectl.conf",
        f"644 {DAEMON_JSON}",
    ]
    assert json.loads(put(decision.job, DAEMON_JSON)) == {
        "hosts": ["fd://", "tcp://0.0.0.0:2376"],
        "tlsverify": True,
        "tlscacert": "/etc/docker/machinectl/ca.pem",
        "tlscert": "/etc/docker/machinectl/server.pem",
        "tlskey": "/etc/docker/machinectl/server.pem",
    }
    assert "PRIVATE KEY" not in decision.job.text + repr(decision)
    assert decision.job.variables["port"] == "0948"
    assert decision.job.variables["validate"] == (
        "/usr/sbin/dockerd --validate --config-file=/etc/docker/daemon.json"
        " --containerd=/run/containerd/containerd.sock"
    )


def test_other_keys_of_daemon_json_stay_and_a_backup_is_made_once() -> None:
    facts = with_config("docker", {"log-driver": "local", "strange": [1, {"x": None}]})
    job = configured(facts).job
    assert list(json.loads(put(job, DAEMON_JSON)))[:2] == ["log-driver", "strange"]
    assert f"600 {DAEMON_JSON}.before-machinectl" in manifest(job)
    again = configured(replace(facts, backup=f"{DAEMON_JSON}.before-machinectl")).job
    assert f"600 {DAEMON_JSON}.before-machinectl" not in manifest(again)


def test_a_swarm_node_gets_no_live_restore_and_no_restart_unasked() -> None:
    with pytest.raises(CheckFailed, match="Swarm node"):
        engine_config.configure(host("swarm-node"), target())
    job = configured(host("swarm-node"), allowed=Allowed(restart_swarm=True)).job
    assert "live-restore" not in json.loads(put(job, DAEMON_JSON))


def test_a_swarm_nodes_containers_that_would_not_come_back_are_named_and_kept() -> None:
    node = host("swarm-node", once=("db", "once"))
    with pytest.raises(CheckFailed, match="ends db once for good") as raised:
        engine_config.configure(node, target(), Allowed(restart_swarm=True))
    assert raised.value.hint.startswith(
        "Give each a policy, on the host: docker update --restart unless-stopped db once"
    )
    assert configured(node, allowed=Allowed(restart_swarm=True, force=True)).job.variables["action"] == "restart"
    # live-restore keeps them elsewhere, whatever a swarm that was left has left there.
    assert configured(host("docker", once=("db",))).job.variables["action"] == "restart"


def test_a_list_that_the_unit_has_too_moves_to_daemon_json_as_dockerd_refuses_both() -> None:
    facts = with_unit("/usr/bin/dockerd -H fd:// --label a=b $MORE --debug", environment={"/etc/x": "MORE=--label c=d"})
    decision = configured(facts, target(labels={"c": "e"}, registry_mirrors=("https://mirror.example",)))
    assert json.loads(put(decision.job, DAEMON_JSON))["labels"] == ["a=b", "c=e"]
    drop_in = next(line.split(" ")[1] for line in manifest(decision.job) if line.endswith("machinectl.conf"))
    assert b"ExecStart=/usr/bin/dockerd --debug\n" in put(decision.job, drop_in)
    assert b"--label a=b" in put(configured(facts).job, drop_in)


def test_an_engine_without_any_host_keeps_its_socket() -> None:
    job = configured(with_unit("/usr/bin/dockerd")).job
    assert json.loads(put(job, DAEMON_JSON))["hosts"] == ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"]
    assert not [line for line in manifest(job) if "systemd" in line]


@pytest.mark.parametrize(
    ("there", "asked", "hosts"),
    [
        (["tcp://0.0.0.0:2375"], {}, ["tcp://0.0.0.0:2375", "tcp://0.0.0.0:2376"]),
        (["tcp://127.0.0.1:2376"], {}, ["tcp://0.0.0.0:2376"]),
        ([":2376", "fd://"], {}, ["tcp://0.0.0.0:2376", "fd://"]),
        (["tcp://0.0.0.0:2376", "fd://"], {"bind": "192.168.0.29"}, ["fd://", "tcp://192.168.0.29:2376"]),
        (["fd://"], {"bind": "fd00::1"}, ["fd://", "tcp://[fd00::1]:2376"]),
        (["fd://"], {"port": 4243}, ["fd://", "tcp://0.0.0.0:4243"]),
    ],
)
def test_who_listened_on_our_port_makes_room_and_everybody_else_stays(
    there: list[str], asked: dict[str, Any], hosts: list[str]
) -> None:
    job = configured(
        with_config("docker", {"hosts": there}, unit=with_unit("/usr/bin/dockerd").unit), target(**asked)
    ).job
    assert json.loads(put(job, DAEMON_JSON))["hosts"] == hosts


@pytest.mark.parametrize("plain", ["tcp://127.0.0.1:2375", "tcp://0.0.0.0:2376"])
def test_listeners_that_were_plain_are_named_and_asked_about(plain: str) -> None:
    facts = with_unit(f"/usr/bin/dockerd -H fd:// -H {plain}")
    assert f"{plain} had no TLS, and has it now" in configured(facts).details
    [asked] = side_effects(facts, target())
    assert asked.startswith(
        f"The host's own configuration makes the engine listen on {plain} without TLS: from now on, only "
    )
    assert side_effects(facts, replace(target(), ssh_only=True)) == ()
    assert side_effects(with_unit(f"/usr/bin/dockerd -H fd:// -H {plain} --tlsverify"), target()) == ()


def test_secrets_of_the_engines_environment_are_readable_by_root_alone() -> None:
    decision = configured(host("docker"), target(env=("HTTPS_PROXY=http://u:secret@p:1",)))
    assert "600 /etc/docker/machinectl/environment" in manifest(decision.job)
    assert b"secret" in put(decision.job, "/etc/docker/machinectl/environment")
    assert b"secret" not in put(decision.job, "/etc/systemd/system/docker.service.d/zz-machinectl.conf")
    assert "secret" not in "".join(decision.details)


def test_on_openrc_a_host_on_the_command_line_is_its_owners_to_change() -> None:
    facts = host("docker", init="openrc", unit="", environment={"/etc/conf.d/docker": 'DOCKER_OPTS="-H tcp://:2375"'})
    with pytest.raises(CheckFailed, match=r"/etc/conf\.d/docker on the host sets --host"):
        engine_config.configure(facts, target())
    decision = configured(replace(facts, environment={"/etc/conf.d/docker": 'DOCKER_OPTS="--debug"'}))
    job = decision.job
    assert not [line for line in manifest(job) if "systemd" in line]
    assert job.variables["init"] == "openrc"
    assert "/var/log/docker.log" in decision.failure(CommandResult(4, b"no\n", b"")).hint


def test_an_engine_that_is_as_it_should_be_is_left_alone() -> None:
    assert engine_config.configure(provisioned(), target()) is None


def test_a_host_that_0_1_set_up_gets_certificate_and_key_in_one_file_and_its_old_key_goes() -> None:
    decision = configured(set_up_by_0_1(provisioned()), allowed=Allowed(force=True))
    assert manifest(decision.job) == [
        f"644 {DAEMON_JSON}.before-machinectl",
        f"644 {DAEMON_JSON}",
        "- /etc/docker/machinectl/server-key.pem",
    ]
    assert json.loads(put(decision.job, DAEMON_JSON))["tlskey"] == "/etc/docker/machinectl/server.pem"


def test_an_engine_that_is_right_but_off_is_only_started() -> None:
    facts = replace(provisioned(), service=ServiceState(loaded=True, active=False, enabled=False), listeners=())
    decision = configured(facts)
    assert (decision.title, manifest(decision.job)) == ("Starting the engine", [])
    assert decision.job.variables["enable"] == "yes"
    assert ServiceEnabled("docker.service") in decision.changes


def test_an_engine_that_ran_before_and_is_repaired_is_not_stopped_by_undoing() -> None:
    started = ServiceStarted("docker.service")
    assert started in configured(off()).changes
    known = target(own_cas=frozenset({"0" * 64}))
    assert started not in configured(off(), known).changes


def test_what_a_cut_run_left_is_put_back_first() -> None:
    decision = engine_config.recover(host("docker", transaction="applying"), target())
    assert decision is not None
    assert decision.unforeseen
    assert engine_config.recover(host("docker"), target()) is None


def set_up_by_0_1(facts: Facts) -> Facts:
    """Return a host that was provisioned, with the key in a file of its own."""
    key = "/etc/docker/machinectl/server-key.pem"
    config = {**json.loads(facts.config_content or b""), "tlskey": key}
    text = HostFile("644", 0, 0, json.dumps(config).encode())
    sums = {**facts.sums, key: Sum("600", 0, 0, "0" * 64)}
    return replace(facts, files={**facts.files, DAEMON_JSON: text}, sums=sums)


def provisioned() -> Facts:
    """A recorded host that was provisioned, as if it had been with our certificates."""
    facts = host("provisioned")
    sums = {
        path: there._replace(sha256=hashlib.sha256(files().get(path.rpartition("/")[2], b"")).hexdigest())
        for path, there in facts.sums.items()
    }
    return replace(facts, sums=sums)


# The firewall


@pytest.mark.parametrize(
    ("firewalls", "allow"),
    [
        ({"ufw": "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"}, "ufw allow 2376/tcp"),
        ({"ufw": "### tuple ### allow tcp 2376 0.0.0.0/0 any 0.0.0.0/0 in", "nftables": ""}, None),
        (
            {"firewalld": "22/tcp"},
            "firewall-cmd -q --permanent --add-port=2376/tcp && firewall-cmd -q --add-port=2376/tcp",
        ),
        ({"firewalld": "22/tcp 2376/tcp"}, None),
        (
            {"iptables": "-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT"},
            "iptables -I INPUT -p tcp --dport 2376 -j ACCEPT",
        ),
        (
            {"iptables": "-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 2376 -j DROP"},
            "iptables -I INPUT -p tcp --dport 2376 -j ACCEPT",
        ),
        ({"iptables": "-P INPUT DROP\n-A INPUT -p tcp --dport 2376 -j ACCEPT"}, None),
        ({"iptables": "-P INPUT ACCEPT\n-A INPUT -p tcp --dport 23760 -j DROP"}, None),
        (
            {"nftables": f"{NFT}\t\ttcp dport 22 accept"},
            "nft insert rule inet fw input tcp dport 2376 accept",
        ),
        ({"nftables": f"{NFT}\t\ttcp dport {{ 22, 2376 }} accept"}, None),
        (
            {"nftables": f"chain ip other input\n\t\tpolicy accept;\n{NFT}"},
            "nft insert rule inet fw input tcp dport 2376 accept",
        ),
        (
            {"nftables": NFT.replace("inet fw input", "ip filter INPUT")},
            "iptables -I INPUT -p tcp --dport 2376 -j ACCEPT",
        ),
        ({"nftables": ""}, None),
    ],
)
def test_the_firewall_in_the_way_is_named_with_its_rule(firewalls: dict[str, str], allow: str | None) -> None:
    facts = host("docker", firewalls=firewalls)
    rule = firewall.blocking(facts, 2376)
    assert (rule.allow if rule else None) == allow
    assert firewall.open_port(facts, target()) is None
    decision = firewall.open_port(facts, target(), Allowed(open_firewall=True))
    assert (decision.details[0] if decision else None) == allow
    if allow:
        assert allow in firewall.advice(facts, 2376)
    if rule:
        assert firewall.is_our_rule(PortOpened(rule.firewall, "2376", rule.undo))
        strange = PortOpened(rule.firewall, "2376", f"{rule.undo}; reboot")
        assert not firewall.is_our_rule(strange)
        assert undo(facts, [strange], purge_engine=False) == []


def test_engine_options_that_are_not_asked_any_more_go_and_what_others_wrote_stays() -> None:
    facts = with_config("docker", {"mtu": 1300, "labels": ["a=b"], "debug": True})
    first = configured(facts, target(options=("mtu=1400", "log-level=warn"), labels={"rack": "7"}))
    config = json.loads(put(first.job, DAEMON_JSON))
    assert (config["mtu"], config["log-level"], config["labels"]) == (1400, "warn", ["a=b", "rack=7"])
    [earlier] = of_kind(first.changes, ConfigMerged)

    def then(config: Any, *options: str) -> Any:
        there = replace(facts, files={DAEMON_JSON: HostFile("644", 0, 0, json.dumps(config).encode())})
        return json.loads(engine_goal.goal(there, target(options=options, earlier=earlier)).config)

    assert then(config) == {key: value for key, value in config.items() if key != "log-level"} | {
        "mtu": 1300,
        "labels": ["a=b"],
    }
    assert list(then(config)) == [key for key in config if key != "log-level"]
    # Somebody has changed these since: they are theirs.
    theirs = config | {"log-level": "info", "labels": ["c=d"]}
    assert then(theirs, "mtu=1400") == theirs


def test_an_address_that_we_listened_on_goes_when_another_is_asked_and_those_of_others_stay() -> None:
    facts = with_config("docker", {"hosts": ["unix:///run/other.sock", "tcp://127.0.0.1:2375"], "tls": True})
    first = configured(facts)
    config = json.loads(put(first.job, DAEMON_JSON))
    [earlier] = of_kind(first.changes, ConfigMerged)
    there = replace(facts, files={DAEMON_JSON: HostFile("644", 0, 0, json.dumps(config).encode())})
    moved = json.loads(engine_goal.goal(there, target(earlier=earlier, port=2377)).config)["hosts"]
    assert "tcp://0.0.0.0:2376" in config["hosts"]
    assert moved == [host.replace("0.0.0.0:2376", "0.0.0.0:2377") for host in config["hosts"]]


# Undoing


def test_undoing_says_that_the_containers_of_a_swarm_node_stop_and_asks_before() -> None:
    decision = configured(host("swarm-node"), allowed=Allowed(restart_swarm=True))
    config = HostFile("644", 0, 0, put(decision.job, DAEMON_JSON))
    after = host("swarm-node", files={DAEMON_JSON: config}, containers=frozenset({"a", "b"}))
    with pytest.raises(CheckFailed, match="Swarm node"):
        undo(after, decision.changes, purge_engine=False)
    assert undo(after, decision.changes, purge_engine=False, restart_swarm=True)


def test_an_engine_that_no_reload_makes_keep_its_containers_is_left_alone() -> None:
    info = {"LiveRestoreEnabled": False, "DockerRootDir": "/var/lib/docker"}
    flagged = with_unit("/usr/sbin/dockerd -H fd:// --live-restore=false", info=info, containers=frozenset({"a"}))
    with pytest.raises(CheckFailed, match="started with --live-restore=false"):
        live_restore.borrow(flagged, target())


def test_undoing_does_not_hide_containers_that_were_made_under_a_setting_of_ours() -> None:
    decision = configured(host("docker"), target(options=("data-root=/data",)))
    config = HostFile("644", 0, 0, put(decision.job, DAEMON_JSON))
    info = {"DockerRootDir": "/data", "Containers": 1, "LiveRestoreEnabled": True}
    after = host("docker", files={DAEMON_JSON: config}, info=info)
    with pytest.raises(CheckFailed, match="data-root is /data now and /var/lib/docker afterwards"):
        undo(after, decision.changes, purge_engine=False)
    assert undo(after, decision.changes, purge_engine=False, force=True)


def test_undoing_puts_back_the_very_bytes_also_where_live_restore_was_off() -> None:
    text = b'{"live-restore":false,"debug":true}'
    facts = host("docker-with-a-container", files={DAEMON_JSON: HostFile("644", 0, 0, text)})
    borrowed = live_restore.borrow(facts, target())
    assert borrowed
    decision = configured(borrowed.after)
    changes = merge_changes(borrowed.changes, decision.changes)
    assert undo_steps.config_before(decision.after, changes) == text
    # Live-restore has been turned off again by now, in our own hand.
    reformatted = HostFile("644", 0, 0, json.dumps(json.loads(text), indent=4).encode())
    assert undo_steps.config_before(replace(facts, files={DAEMON_JSON: reformatted}), changes) == text


def test_undoing_takes_out_what_is_ours_and_leaves_what_others_added_since() -> None:
    facts = with_config("docker", {"log-driver": "local"})
    decision = configured(facts)
    config = json.loads(put(decision.job, DAEMON_JSON)) | {"added": "since"}
    after = replace(facts, files={DAEMON_JSON: HostFile("600", 0, 0, json.dumps(config).encode())})
    [taken_out] = undo(after, decision.changes, purge_engine=False)
    assert json.loads(put(taken_out.job, DAEMON_JSON)) == {"log-driver": "local", "added": "since"}


@pytest.mark.parametrize("own", [[], ["tcp://10.0.0.1:2375"]])
def test_undoing_leaves_no_address_of_ours_without_tls_in_hosts_that_somebody_edited(own: list[str]) -> None:
    facts = with_config("docker", {"hosts": ["unix:///run/docker.sock", *own]} if own else {})
    decision = configured(facts)
    config = json.loads(put(decision.job, DAEMON_JSON))
    ours = [address for address in config["hosts"] if ":2376" in address]
    assert ours
    config["hosts"] = [*config["hosts"], "unix:///run/other.sock"]
    edited = replace(facts, files={DAEMON_JSON: HostFile("644", 0, 0, json.dumps(config).encode())})
    left = json.loads(undo_steps.config_before(edited, decision.changes) or b"")
    assert left["hosts"] == [address for address in config["hosts"] if address not in ours]
    assert set(own) <= set(left["hosts"])
    assert not any(key.startswith("tls") for key in left)


def test_undoing_takes_out_what_an_earlier_machine_that_was_forgotten_had_put_there() -> None:
    first = with_config("docker", {"log-driver": "local"})
    written = json.loads(put(configured(first).job, DAEMON_JSON))
    forgotten = with_config("docker", written)
    change = engine_config.config_change(forgotten, {key: written[key] for key in written if key != "log-driver"}, b"")
    left = undo_steps.config_before(forgotten, [change])
    assert left is not None
    assert json.loads(left) == {"log-driver": "local", "hosts": ["fd://"]}


def test_what_is_said_of_a_configuration_holds_no_password() -> None:
    asked = replace(target(), options=("http-proxy=http://u:hunter2@proxy:3128", "log-opt=splunk-token=hunter2"))
    decision = configured(host("docker"), asked)
    assert "hunter2" in put(decision.job, DAEMON_JSON).decode()
    assert "hunter2" not in "".join((decision.title, *decision.details))


def test_what_is_said_of_an_installation_holds_no_password() -> None:
    asked = replace(target(), install="docker", install_url="https://u:hunter2@docker.example")
    with pytest.raises(MachineError) as raised:
        installation.decide(host("bare"), asked, lambda _: None)
    decision = installation.decide(host("bare"), asked, lambda _: b"script")
    assert decision
    assert "hunter2" not in "".join((raised.value.cause, raised.value.hint, decision.title, *decision.details))


def test_the_engine_itself_goes_only_when_asked() -> None:
    changes = [PackageInstalled("docker.io")]
    assert undo(host("docker"), changes, purge_engine=False) == []
    [decision] = undo(host("docker"), changes, purge_engine=True)
    assert decision.details == ("apt-get -q -y -o DPkg::Lock::Timeout=300 remove docker.io",)


def test_the_package_that_a_script_has_installed_is_recorded_whatever_it_is() -> None:
    named = {
        "containerd docker-cli docker.io": PackageInstalled("docker.io", ("containerd", "docker-cli")),
        "containerd.io docker-ce docker-ce-cli": PackageInstalled("docker-ce", ("containerd.io", "docker-ce-cli")),
        "": PackageInstalled("docker-ce"),
    }
    assert {names: installation.installed_by("docker-ce", names.split()) for names in named} == named


def test_what_an_installation_brought_is_read_on_the_host_if_nobody_saw_its_end() -> None:
    there = replace(host("docker"), new_packages=("containerd", "docker.io", "runc", "$(reboot)"))
    [found] = installation.unrecorded_packages(there, [PackageInstalled("docker.io")])
    assert found == PackageInstalled("docker.io", ("containerd", "runc"))
    assert installation.unrecorded_packages(there, [PackageInstalled("docker.io", ("runc",))]) == []
    assert installation.unrecorded_packages(there, [PackageInstalled("docker-ce")]) == []


def test_what_a_host_says_is_told_in_lines_that_end() -> None:
    reloaded = b'level=info msg="Reloaded configuration: {\\"log-opts\\":{\\"splunk-token\\":\\"t0ken\\"}}"'
    assert tail(CommandResult(3, reloaded + b"\nfailed to start daemon\n", b"")) == "failed to start daemon"
    endless = tail(CommandResult(1, b"\x1b[2Jno runtime " + b"x" * (1 << 20), b""))
    assert endless.startswith("[2Jno runtime xxx")
    assert len(endless) < 3000
