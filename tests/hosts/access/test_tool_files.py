"""Each tool's files and lines, held to what the tool's documentation says."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from machinectl.errors import MachineError
from machinectl.hosts.access.tool_files.known_tools import LAYOUTS
from machinectl.hosts.access.tool_files.tool_layout import EngineAccess
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.hosts.access.tool_files.tool_layout import ToolFiles

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


def values(words: list[str], flag: str) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name == flag]


def mounts(words: list[str]) -> dict[str, str]:
    """Return what `docker run -v` mounts: the place in the container, and the directory here."""
    return {mount.split(":")[1]: mount.split(":")[0] for mount in values(words, "-v")}


def check_folder(found: ToolFiles, folder: str, machine: EngineAccess) -> None:
    assert [found.files[f"{folder}/{name}"] for name in FILES] == [machine.ca, machine.certificate, machine.key]


@pytest.mark.parametrize("tool", LAYOUTS)
def test_every_tool_names_its_documentation_and_shows_no_secret(tool: str) -> None:
    found = laid_out(tool)
    assert "https://" in (LAYOUTS[tool].__doc__ or "")
    assert found.lines
    assert not any("KEY rigel" in text for text in (*found.lines, repr(found)))
    assert all(not os.path.isabs(path) and ".." not in path.split("/") for path in found.files)
    # Configuration may be shown and shared.
    assert {os.path.basename(path) for path, data in found.files.items() if RIGEL.key in data} <= {"key.pem"}


@pytest.mark.parametrize("tool", sorted(LAYOUTS.keys() - {"dozzle", "uptime-kuma", "gitlab"}))
def test_each_machine_has_a_folder_with_the_files_of_docker(tool: str) -> None:
    found = laid_out(tool)
    for machine in ENGINES:
        check_folder(found, machine.name, machine)


def test_dozzle_finds_each_host_of_a_remote_host_below_certs() -> None:
    found = laid_out("dozzle")
    [run] = commands(found, "docker")
    assert mounts(run) == {"/certs": DIRECTORY}
    remote = values(run, "--remote-host")
    assert [value.partition("|")[2] for value in remote] == ["rigel", "vega-2", "six"]
    for value, machine in zip(remote, ENGINES, strict=True):
        url = value.partition("|")[0]
        assert url == machine.url
        # Go's URL.Hostname() keeps the case and drops the brackets of IPv6.
        host = re.fullmatch(r"tcp://\[?([^\]]+?)\]?:\d+", url)
        assert host
        check_folder(found, host[1], machine)


def test_uptime_kuma_finds_each_host_of_an_https_url_below_docker_tls() -> None:
    found = laid_out("uptime-kuma")
    [run] = commands(found, "docker")
    assert mounts(run)["/app/data/docker-tls"] == DIRECTORY
    urls = dict(line.removeprefix("# ").split(": ") for line in found.lines if ": https://" in line)
    for machine in ENGINES:
        # JavaScript's URL.hostname is in lower case, and keeps the brackets.
        check_folder(found, urlsplit(urls[machine.name]).netloc.rpartition(":")[0].lower(), machine)


@pytest.mark.parametrize("tool", ["dozzle", "uptime-kuma"])
def test_two_machines_on_one_host_do_not_share_a_folder(tool: str) -> None:
    with pytest.raises(MachineError, match='"rigel" and "other" are on one host') as caught:
        laid_out(tool, RIGEL, engine("other", "tcp://192.0.2.1:2377"))
    assert "--out" in caught.value.hint


@pytest.mark.parametrize(
    ("engines", "names"), [([RIGEL], ["watchtower"]), ([RIGEL, VEGA], ["watchtower-rigel", "watchtower-vega-2"])]
)
def test_watchtower_has_a_container_for_each_engine(engines: list[EngineAccess], names: list[str]) -> None:
    runs = commands(laid_out("watchtower", *engines), "docker")
    assert [values(run, "--name") for run in runs] == [[name] for name in names]
    for run, machine in zip(runs, engines, strict=True):
        variables = dict(value.split("=") for value in values(run, "-e"))
        assert variables["DOCKER_HOST"] == machine.url
        assert mounts(run) == {variables["DOCKER_CERT_PATH"]: f"{DIRECTORY}/{machine.name}"}
        assert run[-1] == "--tlsverify"


def test_portainer_gets_a_form_with_three_files_for_each_environment() -> None:
    requests = commands(laid_out("portainer"), "curl")
    for request, machine in zip(requests, ENGINES, strict=True):
        assert values(request, "-H") == [f"@{DIRECTORY}/rigel/api-key"]
        assert dict(value.split("=", 1) for value in values(request, "-F")) == {
            "Name": machine.name,
            "EndpointCreationType": "1",
            "URL": machine.url,
            "TLS": "true",
            "TLSCACertFile": f"@{DIRECTORY}/{machine.name}/ca.pem",
            "TLSCertFile": f"@{DIRECTORY}/{machine.name}/cert.pem",
            "TLSKeyFile": f"@{DIRECTORY}/{machine.name}/key.pem",
        }


def test_traefik_has_a_configuration_in_its_default_place_for_each_engine() -> None:
    found = laid_out("traefik")
    runs = commands(found, "docker")
    assert len({tuple(values(run, "-p")) for run in runs}) == len(ENGINES)
    for run, machine in zip(runs, ENGINES, strict=True):
        assert mounts(run) == {"/etc/traefik": f"{DIRECTORY}/{machine.name}"}
        provider = yaml.safe_load(found.files[f"{machine.name}/traefik.yml"])["providers"]["docker"]
        assert provider["endpoint"] == machine.url
        assert provider["tls"] == {
            key: f"/etc/traefik/{name}" for key, name in zip(("ca", "cert", "key"), FILES, strict=True)
        }


def test_prometheus_discovers_each_engine_over_https_with_paths_relative_to_its_file() -> None:
    found = laid_out("prometheus")
    jobs = yaml.safe_load(found.files["prometheus.yml"])["scrape_configs"]
    for job, machine in zip(jobs, ENGINES, strict=True):
        assert job["job_name"] == machine.name
        [discovery] = job["docker_sd_configs"]
        # It has TLS for http and https only.
        assert discovery["host"] == f"https://{machine.address}"
        paths = [discovery["tls_config"][f"{key}_file"] for key in ("ca", "cert", "key")]
        assert [found.files[path] for path in paths] == [machine.ca, machine.certificate, machine.key]
    [published] = [
        rule["replacement"] for rule in jobs[2]["relabel_configs"] if rule.get("target_label") == "__address__"
    ]
    assert published == "[fd00::1d]:$1"


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


def test_vscode_has_settings_for_container_tools() -> None:
    found = laid_out("vscode", RIGEL)
    assert json.loads(found.files["rigel/settings.json"]) == {
        "containers.environment": {
            "DOCKER_HOST": "tcp://192.0.2.1:2376",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": f"{DIRECTORY}/rigel",
        }
    }
    assert shlex.split(found.lines[-1]) == [
        "env",
        "DOCKER_HOST=tcp://192.0.2.1:2376",
        "DOCKER_TLS_VERIFY=1",
        f"DOCKER_CERT_PATH={DIRECTORY}/rigel",
        "code",
    ]


def test_terraform_has_a_provider_for_each_engine_and_an_alias_if_there_are_several() -> None:
    one = laid_out("terraform", RIGEL).files["docker.tf"].decode()
    assert one.count('source = "kreuzwerker/docker"') == 1
    assert one.endswith(
        'provider "docker" {\n  host      = "tcp://192.0.2.1:2376"\n  cert_path = "${path.module}/rigel"\n}\n'
    )
    several = laid_out("terraform", RIGEL, engine("9-to-5.lan", "tcp://nine.lan:2376")).files["docker.tf"].decode()
    assert re.findall(r'alias     = "(.*)"', several) == ["rigel", "_9-to-5_lan"]


def test_ansible_has_a_host_for_each_engine_and_defaults_for_all_modules() -> None:
    found = laid_out("ansible")
    hosts = json.loads(found.files["inventory.json"])["all"]["hosts"]
    [play] = yaml.safe_load(found.files["playbook.yml"])
    defaults = play["module_defaults"]["group/community.docker.docker"]
    for machine in ENGINES:
        assert hosts[machine.name]["ansible_docker_docker_host"] == machine.url
        paths = [
            hosts[machine.name][defaults[option].strip("{} ")].replace("{{ inventory_dir }}/", "")
            for option in ("ca_path", "client_cert", "client_key")
        ]
        assert [found.files[path] for path in paths] == [machine.ca, machine.certificate, machine.key]
    assert defaults["validate_certs"] is True


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
    for name in (
        "ansible-playbook",
        "code",
        "curl",
        "docker",
        "gh",
        "glab",
        "prometheus",
        "promtool",
        "pytest",
        "terraform",
    ):
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
