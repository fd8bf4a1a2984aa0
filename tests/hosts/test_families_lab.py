"""Families other than Debian's: the real package manager of each, on a host in the lab that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.engine_upgrade import PackageManager, engine_package
from machinectl.provision.facts import host_facts
from machinectl.provision.steps import distributions
from tests.hosts.test_setup_lab import Bench, changed

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.lab.fixtures import FreshHost


pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("variant", ["dnf", "zypper", "pacman"])
def test_a_familys_package_manager_installs_an_engine_and_takes_it_away(
    fresh_host: FreshHost, store: Store, variant: str
) -> None:
    bench = Bench(fresh_host(variant), store)
    assert changed(bench.provision(install="distro")) == [
        f"Installing Docker Engine: the distribution's package {'moby-engine' if variant == 'dnf' else 'docker'}",
        "Configuring the engine and restarting it",
    ]
    assert bench.is_up
    snapshot = bench.host.snapshot()
    assert changed(bench.provision()) == []
    assert bench.host.snapshot() == snapshot
    with bench.root() as root:
        host = host_facts.parse_facts(root.run(host_facts.facts_command(2376)).stdout)
        package = engine_package(bench.machine, host)
        family = distributions.choose_distribution(host.os_release)
        # The version that is installed, and the newest in the repository, are written alike.
        assert PackageManager(family, {}).newest(root, package, "") == host.packages[package]
    bench.purge(purge_engine=True)
    assert bench.host.run("command -v dockerd", check=False).stdout == ""
    with bench.root() as root:
        assert host_facts.parse_facts(root.run(host_facts.facts_command(2376)).stdout).packages == {}


def test_zypper_waits_for_another_and_installs_the_version_asked_for_from_the_repositories_that_answer(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("zypper"), store)
    bench.host.run("zypper --non-interactive addrepo --refresh http://127.0.0.1:9/ gone")
    bench.host.run("systemd-run -q --unit other sleep inf; systemctl show --value -p MainPID other > /run/zypp.pid")
    assert bench.host.run("zypper --non-interactive install docker", check=False).returncode == 7
    bench.host.run("systemd-run -q --on-active=3 systemctl stop other")
    bench.provision(install="distro", version="26.1.5")
    assert bench.is_up
