"""`docker machine`, by the real docker CLI: what is installed, found again, taken away, and left alone."""

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

from machinectl.docker_cli.plugin import install_plugin
from machinectl.errors import MachineError
from machinectl.machines.record import Machine
from tests.support.docker_plugged import PluggedDocker
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

URL = "tcp://192.0.2.1:2376"


@pytest.fixture
def machine(store: Store, docker: PluggedDocker) -> PluggedDocker:
    """A docker that has the plugin, and a machine."""
    added(store, Machine("orionbox", "none", url=URL, tls=True))
    assert docker.machinectl("docker-plugin", "install").returncode == 0
    return docker


def test_docker_machine_is_machinectl(machine: PluggedDocker) -> None:
    assert machine("machine", "ls", "-q").stdout == "orionbox\n"
    assert machine("machine", "url", "orionbox").stdout == f"{URL}\n"
    assert "machine*" in machine("--help").stdout
    listed = json.loads(machine("info", "--format", "{{json .ClientInfo.Plugins}}").stdout)
    assert [(each["Vendor"], each.get("Err")) for each in listed if each["Name"] == "machine"] == [("machinectl", None)]


def test_env_names_what_was_typed(machine: PluggedDocker) -> None:
    told = machine("machine", "env", "--shell", "bash", "orionbox").stdout
    assert f'export DOCKER_HOST="{URL}"\n' in told
    assert told.endswith("# eval $(docker machine env --shell bash orionbox)\n")


def test_what_it_prints_for_a_start_up_file_runs_us_and_not_docker(machine: PluggedDocker) -> None:
    line = machine("machine", "use", "orionbox").stderr.splitlines()[1].rpartition(": ")[2]
    assert line == 'eval "$(docker machine shell-init bash)"'
    environment = {**os.environ, **machine.environment}
    for words, told in (("url orionbox", f"{URL}\n"), ('use orionbox && echo "$DOCKER_HOST"', f"{URL}\n")):
        command = ["bash", "--norc", "-c", f"{line}; machinectl {words}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, told), done.stderr


@pytest.mark.parametrize("words", ["machine{} --help", "--help machine{}", "help machine{}"])
def test_the_help_is_ours_and_for_what_is_typed(machine: PluggedDocker, words: str) -> None:
    text = machine(*words.format(" ls").split()).stdout
    assert text.startswith("Usage: docker machine ls [OPTIONS]")
    assert text.endswith("\n  docker machine ls --watch\n")
    text = machine(*words.format("").split()).stdout
    assert text.startswith("Usage: docker machine [OPTIONS] COMMAND")
    assert "machinectl " not in text


@pytest.mark.parametrize(
    ("words", "code", "stderr"),
    [
        (
            ("url", "ghost"),
            1,
            'does not exist. Use "docker machine ls" to list machines. Use "docker machine create" to add a new one.\n',
        ),
        (("ls", "--zzz"), 2, "Error: No such option: --zzz\n  docker machine ls --help\n"),
        (("login",), 2, "Error: No such command 'login'.\n  Did you mean: docker machine ssh\n"),
        (("create", "-d", "generic", "--generic-ip-address", "::1", "--generic-ssh-key", "nowhere", "a"), 3, ""),
        (("ls", "--storage-path", "x"), 2, "It goes before the verb: docker machine --storage-path x ls\n"),
        (("-s", "/x", "url", "ghost"), 1, "docker machine -s /x create tcp://<HOST>:2376 ghost\n"),
    ],
)
def test_exit_codes_are_passed_on_and_hints_are_for_what_is_typed(
    machine: PluggedDocker, words: tuple[str, ...], code: int, stderr: str
) -> None:
    done = machine("machine", *words)
    assert done.returncode == code
    assert done.stderr.endswith(stderr)


def test_what_docker_was_told_before_counts_as_its_variables_do(machine: PluggedDocker) -> None:
    assert machine("-H", URL, "machine", "active").stdout == "orionbox\n"
    assert machine(f"-DH={URL}", "machine", "active").stdout == "orionbox\n"
    assert machine("--context", "x", "machine", "active", DOCKER_HOST=URL).returncode == 1
    assert machine("-l", "error", "--tls", "machine", "ls", "-q").stdout == "orionbox\n"
    assert machine("-c", "x", "machine", "env", "orionbox").stdout.endswith(
        "# eval $(docker -c x machine env orionbox)\n"
    )


def test_nothing_is_run_of_the_directory_that_docker_is_called_in(
    machine: PluggedDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("machinectl", "json", "sysconfig", "typing"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('theirs')\n")
    monkeypatch.chdir(tmp_path)
    done = machine("machine", "ls", "-q")
    assert (done.stdout, done.stderr) == ("orionbox\n", "")
    assert machine("__complete", "machine", "url", "").stdout.startswith("orionbox\n")


def test_two_installs_are_as_good_as_one_and_two_uninstalls_too(docker: PluggedDocker) -> None:
    before = docker.machinectl("docker-plugin", "install")
    assert "Installed. See what it does: docker machine --help\n" in before.stderr
    assert before.stdout == f"{docker.plugin}\n"
    contents = docker.plugin.read_bytes()
    assert docker.machinectl("docker-plugin", "install").stdout == before.stdout
    assert docker.plugin.read_bytes() == contents
    assert docker.plugin.stat().st_mode & 0o777 == 0o755
    assert docker.machinectl("docker-plugin", "uninstall").stdout == before.stdout
    assert docker("machine", "ls").returncode
    again = docker.machinectl("docker-plugin", "uninstall")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == f"There is no plugin at {docker.plugin}\n"
    assert os.listdir(docker.directory) == ["cli-plugins"]


def test_somebody_elses_plugin_stays(docker: PluggedDocker, tmp_path: Path) -> None:
    docker.plugin.parent.mkdir(parents=True)
    for put, what in (
        (lambda: docker.plugin.write_text("#!/bin/sh\n"), "not machinectl's"),
        (lambda: docker.plugin.symlink_to(tmp_path / "nowhere"), f"a link to {tmp_path}/nowhere"),
        (lambda: os.mkfifo(docker.plugin), "not machinectl's"),
    ):
        put()
        before = identity(docker.plugin)
        refused = docker.machinectl("docker-plugin", "install")
        assert refused.returncode == 1
        assert refused.stderr == (
            f"Error: {docker.plugin} is {what}, and is not changed\n"
            f"  Move it away, and install again: mv {docker.plugin} {docker.plugin}.old\n"
        )
        left = docker.machinectl("docker-plugin", "uninstall")
        assert (left.returncode, left.stderr) == (0, f"{docker.plugin} is {what}, and is not changed\n")
        assert identity(docker.plugin) == before
        shutil.move(docker.plugin, f"{docker.plugin}.old.{before[0]}")


def identity(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_mtime_ns


@pytest.mark.parametrize("which", ["above", "docker", "docker/cli-plugins"])
def test_nothing_is_installed_where_another_user_could_replace_it(store: Store, tmp_path: Path, which: str) -> None:
    need("docker")
    above = tmp_path / "above"
    plugged = PluggedDocker(above / "docker", store)
    plugged.plugin.parent.mkdir(parents=True)
    opened = above if which == "above" else above / which
    opened.chmod(0o777)
    refused = plugged.machinectl("docker-plugin", "install")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[:2] == [
        f"Error: {opened} is not safe for keys and programs: everybody may write to it",
        f"  Keep others out: chmod go-w {opened}; or keep docker's files elsewhere: export DOCKER_CONFIG=<DIR>",
    ]
    assert not plugged.plugin.exists()
    assert not plugged.configuration.exists()
    subprocess.run(["chmod", "go-w", opened], check=True)
    assert plugged.machinectl("docker-plugin", "install").returncode == 0


def test_root_installs_nothing_in_a_users_directory(docker: PluggedDocker) -> None:
    """As after `sudo -E`."""
    need(root=True)
    docker.directory.mkdir()
    os.chown(docker.directory, 65534, 65534)
    with pytest.raises(MachineError, match="it is another user's"):
        install_plugin(["/x"], docker.environment)
    assert os.listdir(docker.directory) == []


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
