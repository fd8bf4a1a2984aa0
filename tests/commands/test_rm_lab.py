"""`rm --purge` of real servers: what it foretells, and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.container import run_container
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)


def test_a_dry_run_foretells_what_is_undone_and_does_nothing(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    run_container(host, "web")
    cli.ok(*generic(host))
    before, record = host.snapshot(), (cli.store / "machines/orion/machine.json").read_bytes()

    foretold = cli.ok("rm", "--dry-run", "--purge", "orion")

    titles = [line for line in foretold.stdout.splitlines() if not line.startswith(" ")]
    assert titles == [
        "Taking our configuration out of the engine; 1 container kept running",
        "Turning live-restore off, as it was",
        "Putting /etc/docker/daemon.json back as it was",
        "Forgetting orion",
    ]
    assert "    remove /etc/docker/machinectl/ca.pem" in foretold.stdout.splitlines()
    assert host.snapshot() == before
    assert (cli.store / "machines/orion/machine.json").read_bytes() == record
    done = cli.ok("rm", "-y", "--purge", "orion").stderr
    assert [title for title in titles[:-1] if title not in done] == []
