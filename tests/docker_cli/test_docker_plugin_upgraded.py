"""The plugin finds machinectl again: after an upgrade, in another place, beside systemd's; or says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.docker_plugged import PluggedDocker

METADATA = "docker-cli-plugin-metadata"


def installed(place: Path) -> Path:
    """An environment as pipx makes one, with what this one has; return its script."""
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    site.joinpath("ours.pth").write_text("".join(f"{path}\n" for path in sys.path if path))
    script = place / "bin" / "machinectl"
    # As pip writes it.
    script.write_text(f"#!{place}/bin/python\nimport sys\nfrom machinectl.cli.main import main\nsys.exit(main())\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def linked(docker: PluggedDocker, tmp_path: Path) -> Path:
    """What pipx puts on the PATH, and installs the plugin."""
    link = Path(os.environ["HOME"], ".local", "bin", "machinectl")
    link.parent.mkdir(parents=True)
    link.symlink_to(installed(tmp_path / "venvs" / "machinectl"))
    environment = {**os.environ, **docker.environment, "PATH": f"{link.parent}:{os.environ['PATH']}"}
    subprocess.run(["machinectl", "docker-plugin", "install"], env=environment, capture_output=True, check=True)
    return link


def asked(docker: PluggedDocker, path: str = "") -> str:
    done = docker("machine", "version", PATH=f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_upgrade_in_place_is_what_answers(docker: PluggedDocker, linked: Path, tmp_path: Path) -> None:
    assert f"program={linked}\n" in docker.plugin.read_text()
    assert asked(docker).startswith("machinectl version ")
    shutil.rmtree(tmp_path / "venvs")
    linked.unlink()
    linked.symlink_to(installed(tmp_path / "venvs" / "anew"))
    assert asked(docker).startswith("machinectl version ")


def test_one_that_moved_is_found_on_the_path_behind_systemds(
    docker: PluggedDocker, linked: Path, tmp_path: Path
) -> None:
    linked.unlink()
    systemds = tmp_path / "bin" / "machinectl"
    systemds.parent.mkdir()
    systemds.write_text("#!/bin/sh\necho 'systemd 257 (257.9-1)'\n")
    systemds.chmod(0o755)
    moved = installed(tmp_path / "moved")
    assert asked(docker, f"{systemds.parent}:{moved.parent}").startswith("machinectl version ")
    # Where the PATH is short, as an IDE's may be, pipx's own place is looked at, too.
    linked.symlink_to(moved)
    docker.plugin.write_text(docker.plugin.read_text().replace(f"program={linked}", "program=/nowhere"))
    assert asked(docker, str(systemds.parent)).startswith("machinectl version ")


def test_where_none_is_left_it_says_so_and_docker_still_knows_what_it_is(docker: PluggedDocker, linked: Path) -> None:
    linked.unlink()
    done = docker("machine", "ls", PATH="/usr/bin:/bin:/usr/local/bin")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: machinectl is no longer at {linked}, nor on the PATH\n"
        "  Install it again (pipx install machinectl), then: machinectl docker-plugin install\n"
    )
    told = subprocess.run([str(docker.plugin), METADATA], env={}, capture_output=True, check=True).stdout
    assert json.loads(told)["SchemaVersion"] == "0.1.0"


def test_what_docker_is_told_of_the_plugin_starts_nothing(docker: PluggedDocker, linked: Path) -> None:
    linked.unlink()
    linked.write_text("#!/bin/sh\nexit 7\n")
    linked.chmod(0o755)
    assert "machine*" in docker("--help").stdout
    assert docker("machine").returncode == 7


def test_a_path_is_found_whatever_is_in_it(docker: PluggedDocker, tmp_path: Path) -> None:
    script = installed(tmp_path / "venvs")
    other = tmp_path / "-n $(touch x) '\" é a\nb \\" / "machinectl"
    other.parent.mkdir()
    other.symlink_to(script)
    command = [str(other), "docker-plugin", "install"]
    subprocess.run(command, env={**os.environ, **docker.environment}, capture_output=True, check=True)
    assert asked(docker).startswith("machinectl version ")


@pytest.mark.usefixtures("linked")
def test_each_sh_can_read_it(docker: PluggedDocker) -> None:
    for shell in ("dash", "bash", "busybox", "ksh93", "mksh", "zsh"):
        if program := shutil.which(shell):
            command = [program, *(["sh"] if shell == "busybox" else []), str(docker.plugin), "machine", "version"]
            environment = {**os.environ, **docker.environment}
            told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            assert told.startswith("machinectl version ")
