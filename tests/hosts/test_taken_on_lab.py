"""Real servers that are not as a package leaves them: taken on all the same, or refused untouched."""

from __future__ import annotations

import pytest

from machinectl.errors import CheckFailed
from machinectl.machines.store import Store  # noqa: TC001 - a fixture's type
from tests.hosts.test_setup_lab import Bench, files
from tests.lab.fixtures import FreshHost  # noqa: TC001 - a fixture's type

pytestmark = pytest.mark.timeout(300)


def test_a_setting_that_hides_containers_is_found_before_anything_is_changed(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(
        "systemctl stop docker docker.socket; mv /var/lib/docker /big; ln -s /big /var/lib/docker; "
        "systemctl start docker"
    )
    running = bench.container()
    for pending in ('{"data-root": "/data"}', '{"userns-remap": "default"}', '{"storage-driver": "btrfs"}'):
        bench.host.run(f"echo '{pending}' > /etc/docker/daemon.json")
        before = files(bench.host)
        with pytest.raises(CheckFailed, match="would hide its 1 container"):
            bench.provision()
        assert files(bench.host) == before
    bench.host.run("rm /etc/docker/daemon.json")
    with pytest.raises(CheckFailed, match=r"storage-driver is \w+ now and btrfs after it"):
        bench.provision(storage_driver="btrfs")
    assert bench.started() == running
    bench.provision(storage_driver="")
    assert bench.started() == running
