from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from machinectl.fleet.fleet_keys import Drivers
from machinectl.fleet.json_schema import make_schema
from tests.support.fleet_file import faults, parsed

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    "examples/fleet.yaml": (ROOT / "examples" / "fleet.yaml").read_text(),
    "docs/fleet.md": (ROOT / "docs" / "fleet.md").read_text().partition("```yaml\ndefaults:")[2].partition("```")[0],
}


@cache
def made() -> dict[str, Any]:
    return make_schema(Drivers())


@cache
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(made())
    return Draft202012Validator(made())


def accepts(text: str) -> bool:
    """Whether an editor finds a file right: it reads YAML as YAML says."""
    return bool(validator().is_valid(yaml.safe_load(text)))


def host(options: str) -> str:
    return f"hosts: {{orion: {{driver: generic, ip-address: orion, {options}}}}}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_right_by_it_and_for_the_reader(name: str) -> None:
    text = EXAMPLES[name] if EXAMPLES[name].startswith("#") else f"defaults:{EXAMPLES[name]}"
    assert {"orionbox", "nas"} <= {host.name for host in parsed(text).hosts}
    assert accepts(text)
    assert not accepts(text.replace("tls-san", "tls-sna"))


@pytest.mark.parametrize(
    "options",
    [
        "ssh-port: '${PORT}'",
        "ssh-user: 10:20",
        "ssh-user: on",
        "copy-key: Yes",
        "swarm: manager",
        "ssh-user: ",
        "engine-install: distro",
        "engine-install: '${WAY:-distro}'",
        "engine-opt: log-driver=local",
        "engine-opt: [log-driver=local, 1]",
        "labels: {a: 1, b: on, c: null, d: x}",
    ],
)
def test_what_the_file_may_say_it_accepts(options: str) -> None:
    parsed(host(options), environment={"PORT": "1", "WAY": "auto"})
    assert accepts(host(options))


@pytest.mark.parametrize(
    "options",
    [
        "generic-ssh-usr: ops",
        "ssh-user: [ops]",
        "engine-install: dockr",
        "engine-opt: {log-driver: local}",
        "labels: [a=b]",
        "labels: {a: [b]}",
        "swarm: leader",
        "driver: nona",
    ],
)
def test_what_is_wrong_by_itself_it_refuses(options: str) -> None:
    text = host(options).replace("driver: generic, ", "") if options.startswith("driver") else host(options)
    assert faults(text)
    assert not accepts(text)


@pytest.mark.parametrize(
    "text", ["defaults: {}", "[]", "hosts: []", "hosts: {-x: {}}", "host: {}\nhosts: {}", "groups: {a: {groups: [b]}}"]
)
def test_a_file_of_another_shape_it_refuses(text: str) -> None:
    assert faults(text)
    assert not accepts(text)
