"""`run --sudo` on real hosts: sudo with and without a password, and root's commands that are to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.image import PASSWORD
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli


def test_root_runs_what_is_given_on_each_host_and_it_ends_there_when_the_time_is_over(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    orion, rigel = fresh_host(), fresh_host("port2222")
    for host in (orion, rigel):
        host.run("echo 'Defaults use_pty' > /etc/sudoers.d/pty")
    cli.ok(*generic(orion, name="orion", user="ops"), "--no-provision", "--no-tls")
    cli.ok(*generic(rigel, name="rigel", user="dev"), "--no-provision", "--no-tls")
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    sudo: list[str | Path] = ["run", "--sudo", "--sudo-password-file", secret, "orion", "rigel"]
    done = cli.run(*sudo, "--", "id -u; id -u >&2; echo $LC_ALL; exit 7")
    assert done.returncode == 7
    assert sorted(done.stdout.splitlines()) == ["orion | ", "orion | 0", "rigel | ", "rigel | 0"]
    assert sorted(done.stderr.splitlines())[1:] == ["orion | 0", "rigel | 0"]
    # As somebody else there, they end with what they have started.
    late = cli.run(*sudo, "-t", "8", "--", "sleep 1000 & sleep 1001")
    assert late.returncode == 124
    assert "2 of 2 failed: orion (timed out), rigel (timed out)" in late.stderr
    for host in (orion, rigel):
        assert host.run("pgrep -x sleep", check=False).stdout == ""
    # Who has no password is refused, and keeps nobody else.
    refused = cli.run("run", "--sudo", "orion", "rigel", "--", "id -u")
    assert (refused.returncode, refused.stdout) == (255, "orion | 0\n")
    assert "--sudo-password-file" in refused.stderr
