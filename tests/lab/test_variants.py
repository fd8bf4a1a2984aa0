"""The lab's hosts are what tests take them for, where a test that finds them otherwise would not fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.client import ssh

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost


@pytest.mark.parametrize(("suite", "version"), [("trixie", "13"), ("bookworm", "12")])
def test_suites_are_debian_13_and_12_with_an_engine(fresh_host: FreshHost, suite: str, version: str) -> None:
    host = fresh_host("docker", suite=suite)
    assert host.output(". /etc/os-release; echo $ID $VERSION_ID") == f"debian {version}"
    assert host.output("docker info -f '{{.Driver}}'") == "overlay2"


def test_a_bare_host_has_neither_engine_nor_curl_nor_wget_and_another_prints_in_german_at_each_login(
    fresh_host: FreshHost,
) -> None:
    host = fresh_host("noisy", "locale")
    assert host.run("command -v docker curl wget", check=False).stdout == ""
    for user in ("root", "ops"):
        said = ssh(host, "echo hello; ls /none", user)
        assert said.stdout == "Welcome to the machine!\nhello\n"
        assert "Mind the step." in said.stderr
        assert "Datei oder Verzeichnis nicht gefunden" in said.stderr
