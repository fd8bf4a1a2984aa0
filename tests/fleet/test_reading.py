from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.fleet.fleet_file import FleetId, read_fleet
from machinectl.fleet.host_reader import HostLogin
from machinectl.fleet.yaml_nodes import LONGEST_FILE, Place, WrongFile
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.spec import CertificateFiles
from tests.support.fleet_file import ENVIRONMENT, HOST, fault, only, parsed, said

if TYPE_CHECKING:
    from pathlib import Path


EXAMPLE = """\
    defaults: {driver: generic, ssh-user: ops, ssh-key: ~/.ssh/id_ed25519}
    groups:
      web: {labels: {role: web}, engine-opt: [log-driver=local]}
    hosts:
      orionbox: {ip-address: 192.168.0.29, groups: [web], tls-san: [orion.local]}
      nas: {driver: none, url: tcp://192.168.0.40:2376, tls-dir: certs/nas, labels: {role: store}}
"""


def test_a_file_is_understood_as_create_would_be_told() -> None:
    fleet = parsed(EXAMPLE, machines=["orionbox"])
    orionbox, nas = fleet.hosts
    assert fleet.id.text == os.path.abspath("fleet.yaml")
    assert orionbox.name == "orionbox"
    assert orionbox.place == Place(5, 3)
    assert orionbox.spec.driver == "generic"
    assert orionbox.spec.options == {
        "generic-ip-address": "192.168.0.29",
        "generic-ssh-user": "ops",
        "generic-ssh-key": os.path.expanduser("~/.ssh/id_ed25519"),
        "generic-ssh-port": 0,
        "generic-engine-port": 2376,
        "generic-copy-key": False,
        "generic-mac": "",
    }
    assert orionbox.spec.labels == {"role": "web"}
    assert orionbox.spec.engine == EngineOptions(options=("log-driver=local",), tls_sans=("orion.local",))
    assert (orionbox.spec.tls, orionbox.spec.provision, orionbox.spec.context) == (None, True, True)
    assert nas.spec.options == {"url": "tcp://192.168.0.40:2376"}
    assert nas.spec.labels == {"role": "store"}
    assert nas.certificates == CertificateFiles(os.path.abspath("certs/nas"))
    assert (nas.login, nas.swarm) == (HostLogin(), "")


def test_a_file_is_read_from_where_it_is_and_fleet_yaml_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yaml").write_text(textwrap.dedent(EXAMPLE))
    monkeypatch.chdir(tmp_path)
    fleet = read_fleet("", ("orionbox",), ENVIRONMENT)
    assert fleet.id.text == str(tmp_path / "fleet.yaml")
    assert fleet.hosts[1].certificates.directory == str(tmp_path / "certs/nas")
    monkeypatch.chdir("/")
    assert read_fleet(str(tmp_path / "fleet.yaml"), ("orionbox",), ENVIRONMENT) == fleet


def test_a_fleet_is_known_by_its_name_else_by_where_its_file_really_is(tmp_path: Path) -> None:
    file, link = tmp_path / "fleet.yaml", tmp_path / "link.yaml"
    file.write_text("hosts: {}")
    link.symlink_to(file)
    unnamed = read_fleet(str(link), (), {}).id
    assert unnamed.text == str(file)
    file.write_text("fleet: lab-1\nhosts: {}")
    named = read_fleet(str(link), (), {}).id
    assert named.text == "lab-1"
    for each in (unnamed, named):
        assert each.owns(str(file))
        assert each.owns(str(link))
        assert not each.owns("")
        assert not each.owns("/srv/fleet.yaml")
    assert not unnamed.owns("lab-1")
    for wrong in ("/srv/fleet.yaml", "a b", "-a", "x" * 64, "[a]"):
        assert fault(f"fleet: {wrong}\nhosts: {{}}").startswith("1:8: ")
    assert parsed("fleet: lab\nhosts: {}", name="-").id == FleetId("lab")
    with pytest.raises(WrongFile, match=r"stdin:1:1: A fleet from stdin needs a name, .*: write fleet: NAME"):
        parsed("hosts: {}", name="-")


def test_paths_are_relative_to_the_file_and_the_home_directory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    options = f"{HOST}, ssh-key: keys/../id, tls-dir: ~/certs, ssh-host-key: 'SHA256:a/b'"
    host = said(options, name="/srv/fleets/fleet.yaml")
    assert host.spec.options["generic-ssh-key"] == "/srv/fleets/id"
    assert host.certificates.directory == "/home/ops/certs"
    assert host.login.host_key == "SHA256:a/b"


def test_what_is_nearer_to_the_host_counts() -> None:
    fleet = parsed("""\
        defaults: {driver: generic, ssh-user: a, engine-opt: [a=1, b=1], labels: {all: x, role: none}}
        groups:
          web: {ssh-user: b, engine-opt: [web=1], labels: {role: web, web: x}}
          db: {ssh-user: c, labels: {role: db}}
        hosts:
          one: {ip-address: one}
          two: {ip-address: two, groups: [web]}
          three: {ip-address: three, groups: [web, db], labels: {own: y}}
          four: {ip-address: four, groups: [db, web], ssh-user: d, engine-opt: []}
        """)
    assert [host.spec.options["generic-ssh-user"] for host in fleet.hosts] == ["a", "b", "c", "d"]
    assert [host.spec.engine.options for host in fleet.hosts] == [("a=1", "b=1"), ("web=1",), ("web=1",), ()]
    assert [dict(host.spec.labels) for host in fleet.hosts] == [
        {"all": "x", "role": "none"},
        {"all": "x", "role": "web", "web": "x"},
        {"all": "x", "role": "db", "web": "x", "own": "y"},
        {"all": "x", "role": "web", "web": "x"},
    ]


def test_null_takes_back_what_was_said_further_away() -> None:
    host = only("""\
        defaults: {driver: generic, ssh-user: ops, ssh-port: 22, labels: {a: 1, b: 2}, groups: [web]}
        groups: {web: {tls-san: [x], no-context: true}}
        hosts:
          orion: {ip-address: a, ssh-user: , ssh-port: ~, labels: {a: null}, no-context: null}
        """)
    assert host.spec.options["generic-ssh-user"] == ""
    assert host.spec.options["generic-ssh-port"] == 0
    assert host.spec.labels == {"b": "2"}
    assert host.spec.engine.tls_sans == ("x",)
    assert host.spec.context


def test_groups_may_be_empty_and_so_may_a_fleet() -> None:
    assert parsed("groups: {web: , db: {}}\nhosts:\n").hosts == ()
    assert only(f"defaults: {{driver: generic}}\ngroups: {{web: }}\nhosts: {{a: {{{HOST}, groups: web}}}}").name == "a"


def test_a_default_that_the_driver_of_a_host_does_not_have_is_left_out_for_it() -> None:
    host = said("driver: none, url: 'unix:///run/docker.sock'", "driver: generic, ssh-user: ops")
    assert host.spec.options == {"url": "unix:///run/docker.sock"}


def test_what_is_for_hosts_that_are_set_up_is_left_out_for_an_engine_that_is_only_known() -> None:
    defaults = (
        "driver: none, ssh-jump: ops@gate, engine-opt: [a=b], no-provision: true, ssh-strict: true, "
        "ssh-host-key: x, labels: {a: b}, no-context: true"
    )
    host = said("url: tcp://nas, tls-san: [nas]", defaults)
    assert (host.spec.jump, host.spec.provision, host.login) == ("", True, HostLogin())
    assert host.spec.engine == EngineOptions(tls_sans=("nas",))
    assert (host.spec.labels, host.spec.context) == ({"a": "b"}, False)


def test_none_is_proxyjumps_word_for_no_jump_host() -> None:
    assert said(f"{HOST}, ssh-jump: none", "driver: generic, ssh-jump: ops@gate").spec.jump == ""


def test_a_host_is_not_reached_through_itself_by_a_default() -> None:
    fleet = parsed("""\
        defaults: {driver: generic, ssh-jump: gate}
        hosts: {gate: {ip-address: gate}, orion: {ip-address: orion}}
        """)
    assert [host.spec.jump for host in fleet.hosts] == ["", "machine:gate"]


@pytest.mark.parametrize("text", ["on", "10:20:30:40:50:11", "0123", "1e3", "2026-11-25", "0x1f", "No", "1_000"])
def test_a_text_stays_what_was_typed(text: str) -> None:
    host = said(f"{HOST}, ssh-user: {text}, labels: {{a: {text}}}, engine-opt: [{text}]")
    assert host.spec.options["generic-ssh-user"] == text
    assert host.spec.labels == {"a": text}
    assert host.spec.engine.options == (text,)


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("True", True), ("no", False), ("OFF", False), ("'yes'", True)]
)
def test_a_switch_is_what_yaml_takes_for_one(text: str, value: bool) -> None:
    names = ("no-provision", "no-context", "no-tls", "ssh-strict", "generic-copy-key")
    host = said(", ".join((HOST, *(f"{name}: {text}" for name in names))))
    assert (host.spec.provision, host.spec.context, host.login.strict) == (not value, not value, value)
    assert host.spec.tls is (False if value else None)
    assert host.spec.options["generic-copy-key"] is value


def test_anchors_aliases_and_merging_are_yamls() -> None:
    host = only("""\
        x-ours: &ours {ssh-user: ops, ssh-port: 22, tls-san: &names [a, b]}
        x-more: &more {ssh-user: root, engine-port: 2377}
        hosts:
          orion:
            ssh-port: 2222
            <<: [*ours, *more]
            driver: generic
            ip-address: &name orion
            labels: {at: *name, *name : key}
        """)
    assert host.spec.options["generic-ssh-user"] == "ops"
    assert host.spec.options["generic-ssh-port"] == 2222
    assert host.spec.options["generic-engine-port"] == 2377
    assert host.spec.engine.tls_sans == ("a", "b")
    assert host.spec.labels == {"at": "orion", "orion": "key"}


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("", "nope.yaml", str(tmp_path), "/dev/zero", "a\0b", "x" * 5000):
        with pytest.raises(MachineError) as raised:
            read_fleet(path, (), {})
        assert raised.value.exit_code == 1
        assert raised.value.hint
    (tmp_path / "big.yaml").write_bytes(b"# " * (LONGEST_FILE // 2 + 1))
    with pytest.raises(MachineError, match=r"big.yaml cannot be read: It has more than 8 MB"):
        read_fleet("big.yaml", (), {})


def test_a_host_is_also_written_as_create_takes_it_or_with_docker_machines_names() -> None:
    fleet = parsed("""
        defaults: {generic-ssh-user: dev, ssh-port: 22}
        hosts:
          a: ops@192.0.2.1:2222
          b: {driver: generic, generic-ip-address: 192.0.2.2, generic-ssh-user: ops}
          c: tcp://192.0.2.3:2376
          d: "${HOST:-192.0.2.4}"
          e[1:2]: 192.0.2.[5:6]
    """)
    found = {
        host.name: tuple(
            map(str, (host.spec.options.get(f"generic-{key}", "") for key in ("ip-address", "ssh-user", "ssh-port")))
        )
        for host in fleet.hosts
    }
    assert found == {
        "a": ("192.0.2.1", "ops", "2222"),
        "b": ("192.0.2.2", "ops", "22"),
        "c": ("", "", ""),
        "d": ("192.0.2.4", "dev", "22"),
        "e1": ("192.0.2.5", "dev", "22"),
        "e2": ("192.0.2.6", "dev", "22"),
    }
    assert {host.name: host.spec.options["url"] for host in fleet.hosts if host.spec.driver == "none"} == {
        "c": "tcp://192.0.2.3:2376"
    }
