"""`fleet import`: what Ansible and ssh themselves make of a file is imported, and the rest is listed."""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.fleet.fleet_file import parse_fleet
from machinectl.fleet.importing import Notes, import_file, unused_name
from machinectl.machines.record import is_name
from tests.support.ansible import run
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.fleet.host_reader import FleetHost
    from machinectl.machines.store import Store

INI = """\
mail ansible_host=192.0.2.9
[fd00::7]:2022

[web]
web[01:03].lan ansible_port=2222 http_port=80

[db]
db1 ansible_host=192.0.2.20
web02.lan ansible_user=of_host

[prod:children]
web

[prod:vars]
ansible_user = of_prod
ansible_ssh_private_key_file = ~/.ssh/prod
"""


def hosts_of(words: str) -> dict[str, FleetHost]:
    return {host.name: host for host in parse_fleet(words.encode(), "/x/fleet.yaml", (), {}).hosts}


def imported(path: Path, kind: str = "") -> dict[str, FleetHost]:
    return hosts_of(import_file(str(path), kind, [], Notes(str(path))))


def test_hosts_of_an_inventory_are_what_ansible_makes_of_them(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(INI)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "db.yml").write_text("ansible_port: 2023\n")
    hosts = imported(path)
    assert set(hosts) == {"mail", "fd00--7", "web01.lan", "web02.lan", "web03.lan", "db1"}
    options = {name: host.spec.options for name, host in hosts.items()}
    assert options["mail"]["generic-ip-address"] == "192.0.2.9"
    assert (options["fd00--7"]["generic-ip-address"], options["fd00--7"]["generic-ssh-port"]) == ("fd00::7", 2022)
    assert options["db1"]["generic-ssh-port"] == 2023
    assert options["web01.lan"]["generic-ssh-user"] == "of_prod"
    assert str(options["web01.lan"]["generic-ssh-key"]).endswith("/.ssh/prod")
    assert options["web02.lan"]["generic-ssh-user"] == "of_host"
    assert hosts["web02.lan"].spec.labels == {"prod": "", "web": "", "db": ""}
    printed = tmp_path / "printed.json"
    printed.write_text(run("ansible-inventory", "-i", path, "--list", environment={}).stdout)
    assert {name: host.spec for name, host in imported(printed).items()} == {
        name: host.spec for name, host in hosts.items()
    }


def test_an_inventory_becomes_a_fleet_file_and_skipped_parts_are_listed(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        textwrap.dedent(
            """\
            [web]
            web_1 ansible_host=192.0.2.1 ansible_user=ops ansible_password=hunter2
            web-1 ansible_host=192.0.2.2 ansible_user="{{ me }}"
            twin ansible_host=192.0.2.2
            localhost ansible_connection=local
            far ansible_host="{{ somewhere }}"
            -bad- ansible_host=192.0.2.3 ansible_port=ssh
            [db]
            db ansible_host="192.0.2.9 ; rm" ansible_become=yes
            dc ansible_host=192.0.2.10 ansible_ssh_common_args='-J joe@hop:2222 -o Ciphers=aes'
            dd ansible_host=192.0.2.11 ansible_ssh_extra_args="-o ProxyJump=web-1"
            de ansible_host=192.0.2.12 ansible_ssh_common_args="-o ProxyJump=one,two"
            """
        )
    )
    out = tmp_path / "fleet.yaml"
    done = machinectl("fleet", "import", path, "-o", out, store=store.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "hunter2" not in out.read_text() + done.stderr
    hosts = hosts_of(out.read_text())
    assert set(hosts) == {"web-1", "web-1-2", "dc", "dd", "de"}
    assert hosts["web-1"].spec.options["generic-ssh-user"] == "ops"
    assert hosts["web-1-2"].spec.options["generic-ssh-user"] == ""
    assert {name: hosts[name].spec.jump for name in ("dc", "dd", "de")} == {
        "dc": "host:joe@hop:2222",
        "dd": "machine:web-1-2",
        "de": "",
    }
    for line in (
        "web_1 is renamed to web-1: names have letters, digits, - and .",
        "web-1 is renamed to web-1-2: names have letters, digits, - and .",
        "ansible_password is skipped",
        "ssh-user of web-1 is skipped: it is a template or in Ansible's vault",
        "localhost is left out: its ansible_connection is not SSH",
        "far is left out: only Ansible can tell its address",
        "further arguments of ssh are skipped",
        "the jump host of de is skipped: there is more than one",
    ):
        assert f"Warning: {path}: {line}" in done.stderr
    assert "Warning: twin is left out: twin has the same ip-address and ssh-port as web-1-2" in done.stderr
    assert "Warning: bad- is left out: ssh-port is a whole number, this is 'ssh'" in done.stderr
    assert (
        "Warning: db is left out: ip-address: --ip-address '192.0.2.9 ; rm' is neither an address nor a name"
        in done.stderr
    )


def test_without_ansible_the_error_says_what_to_type_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hosts"
    path.write_text("[web]\na\n")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MachineError, match="there is no ansible-inventory") as caught:
        imported(path)
    assert caught.value.hint.endswith(f": ansible-inventory -i {path} --list > inventory.json")


def test_hosts_of_a_config_are_what_ssh_makes_of_them(store: Store, tmp_path: Path) -> None:
    further = tmp_path / "a.conf"
    further.write_text("Host inner\n  HostName inner-%h.lan\nHost web1.lan\n  Port 2022\n")
    config = tmp_path / "config"
    config.write_text(
        textwrap.dedent(
            f"""\
            Include {further}
            Host bastion web1.lan web2.lan *.wild !not
              User ops
            Host web*.lan
              ProxyJump bastion
            Host in_house
              HostName=192.0.2.5
              ProxyJump hop
              ProxyCommand none
            Host *
              IdentityFile ~/.ssh/id_all
            """
        )
    )
    done = machinectl("fleet", "import", config, store=store.root)
    assert done.returncode == 0, done.stderr
    hosts = hosts_of(done.stdout)
    assert list(hosts) == ["inner", "web1.lan", "bastion", "web2.lan", "in-house"]
    assert hosts["inner"].spec.options["generic-ip-address"] == "inner-inner.lan"
    assert hosts["inner"].spec.options["generic-ssh-user"] == ""
    assert hosts["web1.lan"].spec.options["generic-ssh-port"] == 2022
    assert hosts["web2.lan"].spec.options["generic-ssh-user"] == "ops"
    assert {os.path.basename(str(host.spec.options["generic-ssh-key"])) for host in hosts.values()} == {"id_all"}
    assert hosts["web2.lan"].spec.jump == "machine:bastion"
    assert hosts["in-house"].spec.jump == "host:hop"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("IdentityFile %d/x", "IdentityFile of a is skipped: only ssh can expand it"),
        ("ProxyCommand nc %h", "ProxyCommand of a is skipped"),
        ("ProxyJump one,two", "the jump host of a is skipped: there is more than one"),
    ],
)
def test_what_a_fleet_file_cannot_say_of_a_config_is_skipped(tmp_path: Path, option: str, said: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"Host a\n  {option}\n")
    notes = Notes(str(path))
    import_file(str(path), "", [], notes)
    assert list(notes.lines) == [f"{path}: {said}"]


@pytest.mark.parametrize(
    "text",
    ["Host a\n  Port hunter2", "a: {hunter2"],
)
def test_no_error_shows_what_a_wrong_file_holds(store: Store, tmp_path: Path, text: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(f"{text}\n")
    done = machinectl("fleet", "import", path, store=store.root)
    assert "hunter2" not in done.stderr
    assert done.returncode == 0 or done.stderr.startswith("Error: ")


@given(st.text())
def test_any_name_becomes_one_that_a_machine_can_have(name: str) -> None:
    assert is_name(unused_name(name, set()))
