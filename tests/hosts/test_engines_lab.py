"""Engines that are in use and were set up in ways of their own: they are taken on as they are, or left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hosts.test_setup_lab import Bench, changed

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.lab.fixtures import FreshHost

pytestmark = pytest.mark.timeout(300)

LINKED = """
mkdir -p /srv/docker /srv/units && mv /etc/docker/* /srv/docker/ 2>/dev/null; rmdir /etc/docker
printf '{\\n  "log-driver": "local"\\n}\\n' > /srv/config.json && chown daemon:docker /srv/config.json
chmod 640 /srv/config.json
ln -s /srv/docker /etc/docker && ln -s ../config.json /srv/docker/daemon.json
ln -s /srv/units /etc/systemd/system/docker.service.d && systemctl daemon-reload && systemctl restart docker
"""
LINKS = (
    "readlink /etc/docker /etc/docker/daemon.json /etc/systemd/system/docker.service.d; "
    "stat -c '%a %U %G' /srv/config.json"
)


def test_links_and_the_owner_of_daemon_json_stay_when_a_host_is_taken_on_and_when_it_is_given_back(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(LINKED)
    running = bench.container()
    links, text = bench.host.output(LINKS), bench.host.output("cat /srv/config.json")
    assert links.endswith("640 daemon docker")
    bench.provision()
    assert bench.is_up
    assert '"tlsverify": true' in bench.host.output("cat /srv/config.json")
    assert bench.host.output(LINKS) == links
    assert changed(bench.provision()) == []
    bench.purge()
    assert (bench.host.output(LINKS), bench.host.output("cat /srv/config.json")) == (links, text)
    assert bench.host.output("ls /srv/units /srv/docker | grep -c machinectl; true") == "0"
    assert bench.started() == running
