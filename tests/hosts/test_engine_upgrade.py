"""Upgrades: what is more than a patch, what the package manager is told, and what its answers mean."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.engine_upgrade import (
    RESTART_OLD,
    PackageManager,
    ask_before_upgrade,
    check_client_cas,
    engine_package,
    release_numbers,
    upgrade_risks,
)
from machinectl.machines.record import Machine
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.host_facts import DAEMON_JSON, Facts, HostFile, parse_facts
from machinectl.provision.job import Job
from machinectl.provision.steps.distributions import ORDER, choose_distribution
from tests.support.quiet import Quiet
from tests.support.runner import FACTS, RecordedHost

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.provision.steps.distributions import Distribution

DEBIAN = choose_distribution({"ID": "debian"})


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("5:28.1.1-1~debian.13~trixie", ["28", "1", "1"]),
        ("26.1.5+dfsg1-9+b9", ["26", "1", "5"]),
        ("28.1.1-1.fc42", ["28", "1", "1"]),
        ("3:28.1-1.el9", ["28", "1"]),
        ("28.3.3-r0", ["28", "3", "3"]),
        ("1:28.3.3-1", ["28", "3", "3"]),
        ("unknown", []),
        ("", []),
    ],
)
def test_dockers_own_numbers_are_found_in_any_packages_version(version: str, numbers: list[str]) -> None:
    assert release_numbers(version) == numbers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5:28.1.1-1~debian.13~trixie", "5:28.1.3-1~debian.13~trixie"),
        ("26.1.5+dfsg1-9", "26.1.5+dfsg1-9+deb13u1"),
        ("26.1.5", "26.1.11"),
    ],
)
def test_a_patch_release_needs_no_question(before: str, after: str) -> None:
    assert upgrade_risks(before, after, "") == []
    ask_before_upgrade(Quiet(), Machine("orion", "generic"), "docker.io", (before, after))


@pytest.mark.parametrize(
    ("before", "after"), [("26.1.5", "26.2.0"), ("26.1.5", "27.1.5"), ("26.1.5", "24.1.5"), ("26.1.5", "latest")]
)
def test_anything_more_is_asked_for_and_no_answer_is_no(before: str, after: str) -> None:
    machine = Machine("orion", "generic")
    ask_before_upgrade(Quiet("y"), machine, "docker.io", (before, after))
    for console in (Quiet("n"), Quiet("", interactive=False)):
        with pytest.raises(MachineError) as raised:
            ask_before_upgrade(console, machine, "docker.io", (before, after))
        assert "stays at docker.io 26.1.5" in raised.value.cause
        assert "upgrade --yes orion" in raised.value.hint
        assert f"{before} would become {after}" in console.said[0]


def test_a_version_that_was_pinned_at_create_is_not_left_without_a_question() -> None:
    assert upgrade_risks("26.1.5", "26.1.6", "26.1") == []
    assert upgrade_risks("26.1.5", "26.1.6", "26.1.*") == []
    assert upgrade_risks("26.1.5", "26.1.6", "26.1.5") == ["It was created with --engine-version 26.1.5."]
    [units] = upgrade_risks("26.1.5", "26.1.6", "", ["web.service"])
    assert "restarts web.service too" in units


def facts(dockerd: str, **packages: str) -> Facts:
    return Facts(
        uid=0,
        clock=0,
        arch="",
        os_release={},
        init="systemd",
        dockerd=dockerd,
        packages={name.replace("_", "-"): version for name, version in packages.items()},
    )


def test_the_package_is_the_one_that_holds_the_engine() -> None:
    machine = Machine("orion", "generic")
    assert engine_package(machine, facts("/usr/bin/dockerd", docker_ce="5:28", podman_docker="5")) == "docker-ce"
    with pytest.raises(MachineError, match="belongs to no known package"):
        engine_package(machine, facts("/usr/local/bin/dockerd"))
    with pytest.raises(MachineError, match="There is no Docker Engine"):
        engine_package(machine, facts("", podman_docker="5"))


def packages(family: Distribution = DEBIAN, **proxies: str) -> PackageManager:
    return PackageManager(family, proxies)


APT = ("Hit:1 http://archive.example trixie InRelease", "Reading package lists...")
UNREAD = (
    "Err:1 http://archive.example trixie InRelease",
    "W: Failed to fetch http://archive.example/…  Could not connect",
    "W: Some index files failed to download. They have been ignored, or old ones used instead.",
)


def test_lists_that_could_not_be_read_are_not_taken_for_nothing_new() -> None:
    with pytest.raises(
        MachineError, match=r"cannot find out whether there is a newer docker\.io than 26\.1\.5-1:\nErr:1"
    ):
        packages().newest(RecordedHost(said=(*UNREAD, "26.1.5-1")), "docker.io", "26.1.5-1")
    assert packages().newest(RecordedHost(said=(*UNREAD, "26.1.9-1")), "docker.io", "26.1.5-1") == "26.1.9-1"


@pytest.mark.parametrize("said", ["(none)", "", "E: The repository does not have a Release file."])
def test_no_version_at_all_is_an_error(said: str) -> None:
    with pytest.raises(MachineError, match="cannot find out"):
        packages().newest(RecordedHost(said=(*APT, said)), "docker.io", "26.1.5-1")


def test_a_package_manager_that_fails_is_told_of_with_what_it_said() -> None:
    with pytest.raises(MachineError) as raised:
        packages().upgrade(
            RecordedHost(status=100, said=("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'",)),
            "docker.io",
            "systemd",
        )
    assert "dpkg --configure -a" in raised.value.cause


@pytest.mark.parametrize("family", ORDER, ids=lambda family: type(family).__name__)
def test_every_familys_commands_are_sh(family: Distribution) -> None:
    for package in ("docker-ce", family.package or "docker-ce"):
        host = RecordedHost(said=("1.2.3",))
        packages(family).newest(host, package, "1")
        packages(family).upgrade(host, package, "openrc" if "apk" in family.upgrade("x") else "systemd")
        job = Job("install.sh", {"install": family.upgrade(package), "refresh": family.candidate(package)})
        for text in (job.text, family.upgrade(package), family.candidate(package), RESTART_OLD):
            subprocess.run(["sh", "-n"], input=text.encode(), check=True)


def test_what_belongs_to_dockers_own_release_comes_along() -> None:
    host = RecordedHost()
    packages().upgrade(host, "docker-ce", "systemd")
    for package in ("docker-ce", "docker-ce-cli", "containerd.io"):
        assert f"--only-upgrade {package}" in host.jobs[0]


def test_a_proxys_password_is_in_a_file_of_the_job_and_in_no_command() -> None:
    job = packages(https_proxy="http://me:secret@proxy:3128")._job("true")
    assert b"secret" in job.files["environment"]
    assert "secret" not in job.text


def test_an_engine_that_runs_from_a_replaced_file_is_found_and_restarted(tmp_path: Path) -> None:
    for number, program in enumerate(("/usr/bin/dockerd", "/usr/bin/dockerd (deleted)", "/usr/bin/sh (deleted)")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "exe").symlink_to(program)
    script = RESTART_OLD.replace("/proc/", f"{tmp_path}/").replace("RESTART", 'echo "$program"')
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path}/1/exe\n"


def test_an_engine_that_would_not_start_again_is_not_upgraded() -> None:
    host = parse_facts((FACTS / "provisioned").read_bytes())
    check_client_cas("orion", host)
    config = (host.config_content or b"").replace(b"/ca.pem", b"/clients.pem")
    host = replace(host, files={**host.files, DAEMON_JSON: HostFile("644", 0, 0, config)})
    with pytest.raises(CheckFailed, match="would not start again") as raised:
        check_client_cas("orion", host)
    assert raised.value.hint == "Write it first: machinectl provision orion"
    check_client_cas("orion", replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, b"")}))
