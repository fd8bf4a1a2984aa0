"""Which family a system belongs to, by recorded os-release files, and what its package manager is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machinectl.errors import CheckFailed
from machinectl.provision.facts.host_facts import os_release
from machinectl.provision.steps.distributions import (
    ORDER,
    Amazon,
    Apk,
    Apt,
    Distribution,
    Dnf,
    Pacman,
    RedHat,
    Zypper,
    choose_distribution,
)

RECORDED = Path(__file__).with_name("osrelease")
APT = "apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
ZYPPER = "ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive"
FAMILIES: dict[str, type[Distribution]] = {
    "alpine-3.20": Apk,
    "amazon-2023": Amazon,
    "arch": Pacman,
    "debian-13": Apt,
    "endeavouros": Pacman,
    "fedora-41": Dnf,
    "linuxmint-22": Apt,
    "opensuse-leap-15.6": Zypper,
    "pop-22.04": Apt,
    "raspbian-11": Apt,
    "rhel-9": RedHat,
    "rocky-9": RedHat,
    "sles-15": Zypper,
    "ubuntu-24.04": Apt,
}


def recorded(name: str) -> dict[str, str]:
    return os_release((RECORDED / name).read_text())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_system_belongs_to_its_family(name: str) -> None:
    assert type(choose_distribution(recorded(name))) is FAMILIES[name]


def test_every_recorded_system_is_tried() -> None:
    assert {path.name for path in RECORDED.iterdir()} == {*FAMILIES, "nixos-24.05"}


def test_an_unknown_system_is_told_what_was_read_and_what_can_be_done() -> None:
    with pytest.raises(CheckFailed) as raised:
        choose_distribution(recorded("nixos-24.05"))
    assert "Unknown distribution: nixos" in raised.value.cause
    assert "--os" in raised.value.hint
    assert "--engine-install none" in raised.value.hint


def test_the_family_that_was_given_counts_more_than_what_was_read() -> None:
    assert type(choose_distribution(recorded("nixos-24.05"), "debian")) is Apt
    with pytest.raises(CheckFailed, match="Unknown distribution: beos"):
        choose_distribution(recorded("debian-13"), "beos")


def test_an_id_counts_more_than_what_a_system_is_like() -> None:
    assert type(choose_distribution({"ID": "rocky", "ID_LIKE": "fedora"})) is RedHat
    assert type(choose_distribution({"ID": "strange", "ID_LIKE": "strange fedora debian"})) is Dnf


def test_no_id_is_claimed_by_two_families() -> None:
    claimed = [name for distribution in ORDER for name in distribution.ids]
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize(
    ("distribution", "version", "command"),
    [
        (
            Apt(),
            "",
            f"{APT} install docker.io",
        ),
        (
            Apt(),
            "26.1",
            f"{APT} install 'docker.io=26.1*'",
        ),
        (Dnf(), "", '"$(command -v dnf || command -v yum)" -y install moby-engine'),
        (
            Dnf(),
            "26.1",
            "\"$(command -v dnf || command -v yum)\" -y install 'moby-engine-26.1*'",
        ),
        (Amazon(), "", '"$(command -v dnf || command -v yum)" -y install docker'),
        (Zypper(), "", f"{ZYPPER} install --no-recommends docker || [ $? -eq 106 ]"),
        (Zypper(), "26.1.5", f"{ZYPPER} install --no-recommends 'docker = 26.1.5' || [ $? -eq 106 ]"),
        (Pacman(), "", "pacman -S --noconfirm --needed docker"),
        (Apk(), "", "apk add --wait 300 docker"),
        (Apk(), "26.1", "apk add --wait 300 'docker~26.1'"),
    ],
)
def test_the_engine_is_installed_by_the_familys_own_package_manager(
    distribution: Distribution, version: str, command: str
) -> None:
    # dnf and zypper look first.
    *_, installation = distribution.install(distribution.package, version).split(" && ")
    assert installation == command


# dnf 4 as it said it in the lab; dnf 5, which Fedora has, by its source (libdnf-cli/output/transaction_table.cpp).
@pytest.mark.parametrize(
    ("table", "removed"),
    [
        (" moby-engine  noarch  99-1  more  6 k\n     replacing  containerd.io.noarch 1.7.27-1\n", "containerd.io"),
        (
            " moby-engine  noarch  99-1  more  6 k\n   replacing containerd.io noarch 1.7.27-1 more 1 k\n",
            "containerd.io",
        ),
        (" containerd.io  noarch  2-1  more  6 k\n   replacing containerd.io noarch 1.7.27-1 more 1 k\n", ""),
        (" moby-engine  noarch  99-1  more  6 k\n", ""),
    ],
)
def test_dnf_is_asked_first_which_package_it_would_replace(table: str, removed: str) -> None:
    looked = subprocess.run(["sh", "-c", Dnf.replaced], input=table, capture_output=True, text=True, check=False)
    told = f"error: it would remove {removed}\n" if removed else ""
    assert (looked.returncode, looked.stdout) == (int(not removed), told)


@pytest.mark.parametrize("distribution", ORDER, ids=lambda each: type(each).__name__)
def test_a_packages_name_is_never_code(distribution: Distribution) -> None:
    for command in (distribution.install, distribution.remove, distribution.upgrade, distribution.candidate):
        assert "'x; reboot'" in command("x; reboot") or "'x; reboot" in command("x; reboot")


def test_openrc_starts_the_engine_in_its_own_words() -> None:
    assert Apk().start() == "rc-update add docker default && rc-service docker start"
    assert Apt().start().endswith(" || systemctl enable --now docker.service")
