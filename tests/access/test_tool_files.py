"""Each tool's files and lines, held to what the tool's documentation says."""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from machinectl.access.tool_files import LAYOUTS, EngineAccess
from machinectl.errors import MachineError
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.access.tool_files import ToolFiles

DIRECTORY = "/srv/bob's tools"
FILES = ("ca.pem", "cert.pem", "key.pem")


def engine(name: str, url: str) -> EngineAccess:
    return EngineAccess(name, url, f"CA {name}\n".encode(), f"CERT {name}\n".encode(), f"KEY {name}\n".encode())


RIGEL = engine("rigel", "tcp://192.0.2.1:2376")
VEGA = engine("vega-2", "tcp://Vega.example.com:2377")
SIX = engine("six", "tcp://[fd00::1d]:2376")
ENGINES = [RIGEL, VEGA, SIX]


def laid_out(tool: str, *engines: EngineAccess) -> ToolFiles:
    return LAYOUTS[tool](engines or ENGINES, DIRECTORY)


def commands(found: ToolFiles, program: str) -> list[list[str]]:
    """Return the commands of a program, as a shell reads them."""
    return [shlex.split(line) for line in found.lines if line.startswith(f"{program} ")]


def test_env_has_the_variables_of_docker() -> None:
    found = laid_out("env", RIGEL)
    assert shlex.split(found.files["rigel/docker.env"].decode()) == [
        "DOCKER_HOST=tcp://192.0.2.1:2376",
        "DOCKER_TLS_VERIFY=1",
        f"DOCKER_CERT_PATH={DIRECTORY}/rigel",
    ]


def test_testcontainers_has_properties_besides_the_variables() -> None:
    found = laid_out("testcontainers", RIGEL)
    assert found.files["rigel/testcontainers.properties"].decode().splitlines() == [
        "docker.host=tcp://192.0.2.1:2376",
        "docker.tls.verify=1",
        f"docker.cert.path={DIRECTORY}/rigel",
    ]
    assert "rigel/docker.env" in found.files


def test_github_has_secrets_from_files_and_a_step_that_uses_them() -> None:
    found = laid_out("github", VEGA)
    secrets = {}
    for words in commands(found, "gh"):
        assert words[:3] == ["gh", "secret", "set"]
        secrets[words[3]] = words[4].removeprefix("<")
    assert secrets == {
        f"DOCKER_VEGA_2_{part}": f"{DIRECTORY}/vega-2/{name}"
        for part, name in zip(("CA", "CERT", "KEY"), FILES, strict=True)
    }
    [step] = yaml.safe_load(found.files["vega-2/step.yml"])
    assert step["env"] == {part: f"${{{{ secrets.DOCKER_VEGA_2_{part} }}}}" for part in ("CA", "CERT", "KEY")}


def test_gitlab_has_masked_variables_of_one_line_and_a_job_that_decodes_them() -> None:
    found = laid_out("gitlab", VEGA)
    for words, name, data in zip(commands(found, "glab"), FILES, (VEGA.ca, VEGA.certificate, VEGA.key), strict=True):
        assert words[:3] == ["glab", "variable", "set"]
        assert "--masked" in words
        value = found.files[f"vega-2/{name}.base64"].decode()
        assert words[5] == f"<{DIRECTORY}/vega-2/{name}.base64"
        # What GitLab masks: one line of at least 8 of these characters.
        assert re.fullmatch(r"[A-Za-z0-9_+=/@:.~-]{8,}", value)
        assert base64.b64decode(value) == data
    job = yaml.safe_load(found.files["vega-2/gitlab-ci.yml"])[".docker-vega-2"]
    assert job["variables"] == {"DOCKER_HOST": VEGA.url, "DOCKER_TLS_VERIFY": "1"}


@pytest.mark.parametrize("tool", LAYOUTS)
def test_every_shell_reads_the_lines_as_sh_does(tool: str, tmp_path: Path) -> None:
    shells = ["bash", "zsh", "fish", "tcsh"]
    need(*shells)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("docker", "gh", "glab", "pytest"):
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s|" {name} "$DOCKER_HOST" "$DOCKER_CERT_PATH" "$@"; cat\n')
        (programs / name).chmod(0o755)
    directory = tmp_path / "bob's tools"
    found = LAYOUTS[tool](ENGINES, str(directory))
    for path, data in found.files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)

    def typed(program: str) -> list[str]:
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        lines = [line for line in found.lines if not line.startswith("# ")]
        ran = [
            subprocess.run(
                [program, "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            for line in lines
        ]
        return [f"{done.stdout!r} {done.stderr!r} {done.returncode}" for done in ran]

    by_sh = typed("sh")
    assert all(done.endswith(" b'' 0") for done in by_sh)
    assert {shell: typed(shell) for shell in shells} == dict.fromkeys(shells, by_sh)


@pytest.mark.parametrize("tool", ["github", "gitlab"])
def test_two_machines_never_have_the_same_variables(tool: str) -> None:
    with pytest.raises(MachineError, match=r'"vega-2" and "vega\.2" have the same name as variables'):
        laid_out(tool, VEGA, engine("vega.2", "tcp://192.0.2.9:2376"))
