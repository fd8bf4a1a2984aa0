from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.go.template import parse_template
from machinectl.cli.tables.machine_rows import MachineRow
from machinectl.machines.config_json import config_json
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine
from machinectl.masking import without_secrets
from machinectl.provision.host_changes import ConfigMerged
from machinectl.verbs.inspect import inspect_fields

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "/store/machines/orionbox"
# What ends the user in a URL.
SPLITS = str.maketrans(dict.fromkeys("/@:\"'", "x") | dict.fromkeys(map(chr, range(0x3001)), None) | {ord("a"): "a"})


def none_machine(url: str = "tcp://192.168.0.29:2376") -> Machine:
    machine = Machine("orionbox", "none", url=url, tls=True)
    machine.driver_state = json.dumps({"URL": url})
    return machine


def generic_machine() -> Machine:
    machine = Machine("orionbox", "generic", url="tcp://192.168.0.29:2376", tls=True)
    state = {
        "IPAddress": "10.0.0.5",
        "SSHUser": "ops",
        "SSHPort": 2222,
        "SSHKeyPath": "id_ed25519",
        "EnginePort": 2376,
        "MAC": "",
    }
    machine.driver_state = json.dumps(state)
    machine.mac = "12:34:56:78:9a:bc"
    machine.labels = {"rack": "a"}
    machine.engine = EngineOptions.load(
        {
            "options": ["log-driver=journald", "mtu=1400"],
            "env": ["HTTP_PROXY=http://proxy:3128"],
            "insecure_registries": ["registry.lan:5000"],
            "registry_mirrors": ["https://mirror.lan"],
            "storage_driver": "overlay2",
            "install_url": "https://get.lan/docker",
            "tls_sans": ["orion.lan"],
        }
    )
    return machine


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Driver.IPAddress}}", "10.0.0.5"),
        ("{{.Driver.SSHUser}} {{.Driver.SSHPort}} {{.Driver.EnginePort}}", "ops 2222 2376"),
        ("{{.Driver.SSHKeyPath}}", "/store/machines/orionbox/id_ed25519"),
        ("{{.Driver.SSHKey}}", "/store/machines/orionbox/id_ed25519"),
        ("{{.Driver.MAC}}", "12:34:56:78:9a:bc"),
        ("{{.DriverName}}", "generic"),
        ("{{.HostOptions.AuthOptions.StorePath}}", "/store/machines/orionbox"),
        ("{{.HostOptions.AuthOptions.CaCertPath}}", "/store/machines/orionbox/ca.pem"),
        ("{{index .HostOptions.EngineOptions.ArbitraryFlags 0}}", "log-driver=journald"),
        ("{{range .HostOptions.EngineOptions.Labels}}{{.}} {{end}}", "rack=a "),
        ("{{json .HostOptions.EngineOptions.Env}}", '["HTTP_PROXY=http://proxy:3128"]'),
        ("{{.HostOptions.EngineOptions.InsecureRegistry}}", "[registry.lan:5000]"),
        ("{{.HostOptions.EngineOptions.RegistryMirror}}", "[https://mirror.lan]"),
        ("{{.HostOptions.EngineOptions.StorageDriver}}", "overlay2"),
        ("{{.HostOptions.EngineOptions.InstallURL}}", "https://get.lan/docker"),
        ("{{.HostOptions.AuthOptions.ServerCertSANs}}", "[orion.lan]"),
        ("{{.HostOptions.SwarmOptions.Master}}", "false"),
        ("{{.Driver.Nope}}", "<no value>"),
    ],
)
def test_scripts_find_what_they_ask_for(template: str, expected: str) -> None:
    assert parse_template(template).render(config_json(generic_machine(), DIRECTORY)) == expected


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://192.168.0.29:2376", "192.168.0.29"),
        ("tcp://[fd00::29]:2376", "fd00::29"),
        ("ssh://ops@orion.lan", "orion.lan"),
        ("unix:///var/run/docker.sock", ""),
        ("", ""),
        ("tcp://", ""),
    ],
)
def test_the_address_is_the_urls_host_where_the_driver_says_none(url: str, address: str) -> None:
    assert config_json(none_machine(url), DIRECTORY)["Driver"]["IPAddress"] == address


def test_an_absolute_path_of_a_key_stays_as_it_is() -> None:
    machine = generic_machine()
    machine.driver_state = '{"SSHKeyPath": "/home/ops/.ssh/id_rsa"}'
    assert config_json(machine, DIRECTORY)["Driver"]["SSHKeyPath"] == "/home/ops/.ssh/id_rsa"


def test_paths_are_absolute_for_a_store_that_is_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = config_json(none_machine(), "store/machines/orionbox")
    assert found["Driver"]["StorePath"] == str(tmp_path / "store")
    assert found["HostOptions"]["AuthOptions"]["ClientKeyPath"] == str(tmp_path / "store/machines/orionbox/key.pem")
    assert inspect_fields(none_machine(), "store/machines/orionbox")["Directory"] == str(
        tmp_path / "store/machines/orionbox"
    )


@pytest.mark.parametrize(
    "state", ["", "opaque", "[1]", '"a"', '{"a": NaN}', '{"a": 1e999}', "[" * 100_000, "{", "9" * 5000]
)
def test_a_drivers_state_that_is_no_json_object_hides_nothing_else(state: str) -> None:
    machine = none_machine()
    machine.driver_state = state
    assert config_json(machine, DIRECTORY)["Driver"]["IPAddress"] == "192.168.0.29"
    assert inspect_fields(machine, DIRECTORY)["DriverState"] is None


def test_engine_options_of_another_type_are_shown_as_none_given() -> None:
    machine = none_machine()
    machine.engine = EngineOptions.load({"options": "a", "labels": {"a": 1}, "env": None, "storage_driver": None})
    options = config_json(machine, DIRECTORY)["HostOptions"]["EngineOptions"]
    assert (options["ArbitraryFlags"], options["Labels"], options["Env"], options["StorageDriver"]) == ([], [], [], "")


@pytest.mark.parametrize(
    ("engine", "state"),
    [
        ({"env": ["HTTPS_PROXY=http://ops:hunter2@proxy:3128"]}, {}),
        ({"env": ["HTTPS_PROXY=ops:hunter2@proxy:3128"]}, {}),
        ({"env": ["https_proxy=http://ops:p@hunter2@proxy:3128"]}, {}),
        ({"registry_mirrors": ["https://ops:hunter2@mirror.lan"]}, {}),
        ({"install_url": "https://ops:hunter2@mirror.lan/docker.sh"}, {}),
        ({"env": ["REGISTRY_PASSWORD=hunter2"]}, {}),
        ({"options": ["log-opt=splunk-token=hunter2=="]}, {}),
        ({}, {"AccessKey": "hunter2"}),
        ({}, {"SecretKey": {"value": "hunter2"}}),
        ({}, {"SSHPassword": "hunter2", "nested": [{"api_token": "hunter2"}]}),
    ],
)
def test_no_secret_is_shown_in_any_shape(engine: dict[str, Any], state: dict[str, Any]) -> None:
    machine = none_machine()
    machine.engine = EngineOptions.load(engine)
    machine.driver_state = json.dumps(state)
    rows = [MachineRow(machine).fields()]
    for shown in (json.dumps(shape) for shape in (inspect_fields(machine, DIRECTORY), config_json(machine, DIRECTORY))):
        assert "hunter2" not in shown
        assert "***" in shown
    assert "hunter2" not in json.dumps(rows)


def test_what_a_change_keeps_of_daemon_json_shows_no_secret() -> None:
    machine = none_machine()
    config = {
        "proxies": {"https-proxy": "ops:hunter2@proxy:3128"},
        "log-opts": {"splunk-token": "hunter2"},
        "mtu": 1400,
    }
    text = json.dumps(config)
    machine.changes = [ConfigMerged("/etc/docker/daemon.json", text, "644", config, "")]
    shown = json.dumps(inspect_fields(machine, DIRECTORY))
    assert "hunter2" not in shown
    assert "1400" in shown


@given(st.text(), st.text(), st.text())
def test_no_password_of_a_url_is_shown_wherever_it_stands(before: str, user: str, after: str) -> None:
    text = f"{before}http://{user.translate(SPLITS)}:hun@ter2@proxy{after}"
    assert "ter2" not in json.dumps(without_secrets([text, {"a": text}])).replace("***@", "")


def test_what_only_sounds_like_a_secret_is_shown() -> None:
    machine = none_machine()
    state = {"SSHKeyPath": "id_rsa", "SSHPasswordFile": "/run/x", "Token": "", "URL": "tcp://orion:2376"}
    machine.driver_state = json.dumps(state)
    machine.engine = EngineOptions(env=("HTTP_PROXY=http://proxy:3128", "PASSWORD_FILE=/run/secret"))
    shown = inspect_fields(machine, DIRECTORY)
    assert shown["DriverState"] == state
    assert shown["Engine"]["Env"] == machine.engine.dump()["env"]


@given(st.text())
def test_whatever_a_drivers_state_is_both_shapes_are_json(state: str) -> None:
    machine = none_machine()
    machine.driver_state = state
    json.dumps([config_json(machine, DIRECTORY), inspect_fields(machine, DIRECTORY)], allow_nan=False)
