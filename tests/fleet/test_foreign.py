"""`fleet import`: what Ansible and ssh themselves make of a file is what is taken over, and the rest is said."""

from __future__ import annotations

import itertools
import re
import string
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import ranges
from machinectl.commands.fleet.import_ import fleet_import
from machinectl.errors import MachineError
from machinectl.fleet.foreign import ansible_ini, ansible_yaml, openssh_config
from machinectl.fleet.foreign.importing import as_name, hosts_in, import_file, kind_of
from machinectl.fleet.foreign.sources import Notes, WrongSource
from machinectl.fleet.reading.fleet_file import parse_fleet
from machinectl.fleet.syntax.faults import WrongFile
from machinectl.machines.record import is_name
from tests.support.ansible import listed, run
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.real import need

if TYPE_CHECKING:
    from machinectl.machines.store import Store

INI = """\
# A comment
; another one
mail ansible_host=192.0.2.9   # and one behind a host
[fd00::7]:2022
old:2022 ansible_ssh_user=legacy ansible_user=new

[web]
web[01:03].lan ansible_port=2222 http_port=80
db[a:c]-x
"quoted" ansible_user='"joe"' ansible_ssh_private_key_file="/keys/a key"

[db]
db1 ansible_host=192.0.2.20
web02.lan ansible_user=of_host

[prod:children]
web
late

[late]
step[1:9:4]

[prod:vars]
ansible_user = of_prod
ansible_ssh_private_key_file = ~/.ssh/prod

[web:vars]
ansible_user="of_web"

[all:vars]
ansible_user=of_all
ansible_port=22022
"""
YAML = """\
---
all:
  vars: {ansible_user: of_all}
  hosts:
    mail: {ansible_host: 192.0.2.9, ansible_port: 2022}
    bare:
  children:
    web:
      hosts:
        web[01:03].lan: {ansible_port: 2222}
      vars: &shared {ansible_user: of_web}
    prod:
      children:
        web:
        db:
          vars:
            <<: *shared
            ansible_ssh_private_key_file: ~/.ssh/db
          hosts: {db1: {}, web02.lan: {ansible_user: of_host}}
edge:
  hosts: {e1: {ansible_host: e1.lan}}
  vars: {ansible_group_priority: 10, ansible_user: of_edge}
zone:
  hosts: {e1: }
  vars: {ansible_user: of_zone}
"""
BESIDE = {
    "group_vars/all.yml": "ansible_user: beside_all\nansible_ssh_private_key_file: /keys/all\n",
    "group_vars/web/10-login.yml": "ansible_user: beside_web\n",
    "group_vars/web/.hidden.yml": "ansible_user: never\n",
    "group_vars/web/old.yml~": "ansible_user: never\n",
    "group_vars/db": "ansible_port: 2022\n",
    "group_vars/db.yml": "ansible_port: 1\n",
    "group_vars/zone.yml": "ansible_group_priority: 99\n",
    "host_vars/db1.json": '{"ansible_host": "192.0.2.77"}',
}
NAMES = {
    "address": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "key": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}


def written(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def members(found: dict[str, Any], group: str) -> set[str]:
    """The hosts of a group, and of those within it, as ansible-inventory prints them."""
    own = found.get(group, {})
    return {*own.get("hosts", ()), *(name for child in own.get("children", ()) for name in members(found, child))}


# An INI file with files beside it: below.
@pytest.mark.parametrize(("name", "text", "beside"), [("inventory.ini", INI, {}), ("inventory.yml", YAML, BESIDE)])
def test_hosts_are_what_ansible_itself_makes_of_them(
    tmp_path: Path, name: str, text: str, beside: dict[str, str]
) -> None:
    written(tmp_path, {name: text, **beside})
    path = tmp_path / name
    hosts = {host.name: host for host in hosts_in(text, str(path), "ansible", Notes())}
    found = listed(path)
    of_ansible = found["_meta"]["hostvars"]
    assert hosts.keys() == members(found, "all")
    for host in hosts.values():
        variables = of_ansible.get(host.name, {})
        for part, spelt in NAMES.items():
            values = [str(variables[each]) for each in reversed(spelt) if each in variables]
            default = host.name if part == "address" else ""
            assert getattr(host, part) == (values[0] if values else default), (host.name, part)
        groups = {group for group in found if host.name in members(found, group)}
        assert {*host.groups} == groups - {"all", "ungrouped", "_meta"}


def test_what_ansible_prints_of_an_inventory_is_the_same_one(tmp_path: Path) -> None:
    written(tmp_path, {"inventory.ini": INI, **BESIDE})
    path = tmp_path / "inventory.ini"
    printed = run("ansible-inventory", "-i", path, "--list", "--yaml", environment={})
    assert printed.returncode == 0
    once, again = (
        {host.name: (host.address, host.user, host.port, host.key, {*host.groups}) for host in hosts}
        for hosts in (
            hosts_in(INI, str(path), "ansible", Notes()),
            hosts_in(printed.stdout, "/nowhere/i.yml", "ansible", Notes()),
        )
    )
    assert once == again


def test_an_inventory_becomes_a_fleet_that_can_be_read(store: Store, tmp_path: Path) -> None:
    text = textwrap.dedent(
        """\
        [web]
        web_1 ansible_host=192.0.2.1 ansible_user=ops ansible_password=hunter2
        web-1 ansible_host=192.0.2.2 ansible_user="{{ me }}"
        twin ansible_host=192.0.2.2
        localhost ansible_connection=local
        far ansible_host="{{ somewhere }}"
        -bad- ansible_host=192.0.2.3 ansible_port=ssh
        [db]
        db ansible_host="192.0.2.9 ; rm" ansible_become=yes ansible_become_user=root
        dc ansible_host=192.0.2.10 ansible_ssh_common_args='-J joe@hop:2222 -o Ciphers=aes'
        dd ansible_host=192.0.2.11 ansible_ssh_extra_args="-o ProxyJump=web-1"
        de ansible_host=192.0.2.12 ansible_ssh_common_args="-o ProxyJump=one,two"
        """
    )
    path = tmp_path / "hosts"
    path.write_text(text)
    out = tmp_path / "fleet.yaml"
    done = machinectl("fleet", "import", path, "-o", out, store=store.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "hunter2" not in out.read_text() + done.stderr
    hosts = {host.name: host for host in parse_fleet(out.read_bytes(), str(out), (), {}).hosts}
    assert list(hosts) == ["web-1", "web-1-2", "bad-", "dc", "dd", "de"]
    assert hosts["web-1"].spec.options["generic-ssh-user"] == "ops"
    assert hosts["web-1-2"].spec.options["generic-ssh-user"] == ""
    assert hosts["web-1"].spec.labels == {"web": ""}
    assert {name: hosts[name].spec.jump for name in ("dc", "dd", "de")} == {
        "dc": "host:joe@hop:2222",
        "dd": "machine:web-1-2",
        "de": "",
    }
    for line in (
        f"Warning: {path}:2: web_1 is renamed to web-1: names have letters, digits, - and .",
        f"Warning: {path}:3: web-1 is renamed to web-1-2: names have letters, digits, - and .",
        f"Warning: {path}:2: ansible_password is skipped: write secrets to files of their own",
        f"Warning: {path}:3: ansible_user is skipped: it is a template, which only Ansible can expand",
        f"Warning: {path}:5: localhost is left out: its ansible_connection is not SSH",
        f"Warning: {path}:6: far is left out: its ansible_host cannot be read",
        f"Warning: {path}:7: the port of -bad- is skipped: it is not a port number",
        f"Warning: {path}:9: ansible_become is skipped",
        f"Warning: {path}:10: ansible_ssh_common_args has options that are skipped",
        f"Warning: {path}:12: the jump host of de is skipped: there is more than one",
        "Warning: twin is left out: twin has the same ip-address and ssh-port as web-1-2",
        "Warning: db is left out: ip-address <value> is neither an address nor a name",
    ):
        assert line in done.stderr


def test_what_is_in_a_vault_is_passed_over(tmp_path: Path) -> None:
    vault = "$ANSIBLE_VAULT;1.1;AES256\n61626364\n"
    text = "all:\n  hosts:\n    a:\n      ansible_user: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        6162\n"
    written(
        tmp_path, {"i.yml": text, "group_vars/all/vault.yml": vault, "group_vars/all/plain.yml": "ansible_port: 7\n"}
    )
    notes = Notes()
    words = import_file(str(tmp_path / "i.yml"), "", [], notes)
    assert "ssh-port: 7" in words
    assert "generic-ssh-user" not in words
    assert list(notes.lines) == [
        f"{tmp_path}/group_vars/all/vault.yml:1: skipped: it is in Ansible's vault",
        f"{tmp_path}/i.yml:4: ansible_user is skipped: it is in Ansible's vault",
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[web\nx]", 1, "is not a host"),
        ("a\n[we b]", 2, "is not a section"),
        ("[web:hosts]\na\n[web:kids]", 3, "this is not a section: write [group]"),
        ("a b", 1, "a word after the host is not a variable"),
        ("a 'b", 1, "is not a host: No closing quotation"),
        ("[web:vars]\nx=1", 1, "this group is not defined"),
        ("[web:children]\n\ndb", 3, "this group is not defined"),
        ("[web:children]\nweb", 1, "the group web contains itself"),
        ("[a:children]\nb\n[b:children]\na", 1, "the group a contains itself"),
        ("[a:vars]\nx\n[a]", 2, "is not a variable"),
        ("web[1:]", 1, "a range has an end"),
        ("web[3:1]", 1, "begins after its end"),
        ("web[01:100]", 1, "same number of digits"),
        ("web[1:99999999]", 1, "is more than 10000 hosts"),
        ("web[1:200][1:200]", 1, "is more than 10000 hosts"),
        ("web[1:x]", 1, "is neither a number nor a letter"),
        ("web[1:9:0]", 1, "counts by 1 or more"),
        ("web:", 1, "no port follows the colon"),
    ],
)
def test_what_is_wrong_in_an_ini_inventory_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(WrongSource, match=rf"^hosts:{line}: .*{re.escape(said)}"):
        ansible_ini.parse_ini(text, "hosts").taken(Notes())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("all: [a]", 1, "the group all is a mapping, this is a list: write NAME: instead of - NAME"),
        ("all:\n  hosts:\n    - a", 3, "hosts is a mapping, this is a list: write NAME: instead of - NAME"),
        ("all:\n  hosts: x", 2, "hosts is a mapping, this is a text"),
        ("all:\n  hosts: {a: b}", 2, "variables is a mapping"),
        ("all:\n  hosts: {a: }\n  vars: 7", 3, "variables is a mapping"),
        ("all:\n  hosts: {'a[1:x]': }", 2, "is neither a number nor a letter"),
        ("a: {children: {b: {children: {a: }}}}", 1, "contains itself"),
        ("all: &a {children: *a}", 1, "This is not YAML"),
        ("all: [}", 1, "This is not YAML"),
        ("plugin: aws_ec2", 1, "a plugin of Ansible finds the hosts of this file"),
        ('{"all": {},\n"_meta": {"hostvars": {}}}', 2, "this is the output of an inventory script"),
        ("- a", 1, "an inventory is a mapping"),
    ],
)
def test_what_is_wrong_in_a_yaml_inventory_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(WrongSource, match=rf"^i\.yml:{line}: .*{re.escape(said)}"):
        ansible_yaml.parse_yaml(text, "i.yml").taken(Notes())


def test_a_file_that_laughs_a_billion_times_is_refused() -> None:
    lines = ["a: &a {x: y}"] + [
        f"{name}: &{name} {{{', '.join(f'k{n}: *{before}' for n in range(10))}}}"
        for before, name in itertools.pairwise("abcdefghij")
    ]
    with pytest.raises(WrongSource, match="more than 1000000 values"):
        ansible_yaml.parse_yaml("\n".join(lines), "i.yml")


CONFIG = """\
# Mine
Include conf.d/*.conf
Host bastion
  HostName bastion.lan
  User joe
  ProxyJump none
Host *.lan !x.lan
  Port 2222
Host web1.lan web2.lan x.lan
  ProxyJump bastion
  User = ops
  IdentityFile "~/.ssh/web key_%n"
Host in_house
  HostName=192.0.2.5
  ProxyJump hop
Host hop*
  User hopper
  Port 23
Host *
  User everybody
  IdentityFile ~/.ssh/id_all
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    written(
        tmp_path,
        {
            "config": CONFIG,
            "conf.d/a.conf": "Host inner\n  HostName inner-%h.lan\nHost web1.lan\n  Port 2022\n",
            "conf.d/b.txt": "Host never\n",
        },
    )
    return tmp_path / "config"


def test_hosts_are_what_ssh_itself_makes_of_them(config: Path) -> None:
    need("ssh")
    text = config.read_text()
    # ssh looks for what is included in ~/.ssh.
    (config.parent / "asked").write_text(text.replace("conf.d", f"{config.parent}/conf.d"))
    hosts = openssh_config.parse_ssh_config(text, str(config), Notes())
    assert [host.name for host in hosts] == ["inner", "web1.lan", "bastion", "web2.lan", "x.lan", "in_house"]
    for host in hosts:
        command: list[str | Path] = ["ssh", "-F", config.parent / "asked", "-G", host.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        of_ssh: dict[str, str] = {}
        for line in said:
            keyword, _, value = line.partition(" ")
            of_ssh.setdefault(keyword, value)
        assert (host.address, host.user, host.port or "22") == (of_ssh["hostname"], of_ssh["user"], of_ssh["port"])
        assert host.key == of_ssh["identityfile"].replace("%n", host.name)
        jump = of_ssh.get("proxyjump", "")
        assert host.jump == (jump if jump != "hop" else "hopper@hop:23")


def test_a_config_becomes_a_fleet_that_can_be_read(store: Store, config: Path) -> None:
    with config.open("a") as file:
        file.write("Match host foo exec ./run\n  User bar\nHost github.com\n  User git\nHost *.wild\n  Port 1\n")
    config.with_name("config").write_text(config.read_text().replace("Host *\n  User everybody\n", "Host *\n"))
    done = machinectl("fleet", "import", config, store=store.root)
    assert done.returncode == 0, done.stderr
    hosts = {host.name: host for host in parse_fleet(done.stdout.encode(), "/x/fleet.yaml", (), {}).hosts}
    assert list(hosts) == ["inner", "web1.lan", "bastion", "web2.lan", "x.lan", "in-house"]
    assert hosts["web2.lan"].spec.jump == "machine:bastion"
    assert hosts["in-house"].spec.jump == "host:hopper@hop:23"
    assert hosts["web1.lan"].spec.options["generic-ssh-port"] == 2022
    assert f"{config}:21: this Match block is skipped: only ssh can evaluate it" in done.stderr
    assert "github.com is left out: the user git is for a forge" in done.stderr
    assert "in_house is renamed to in-house" in done.stderr


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Host a\n  Port", 2, "this is not an ssh_config line"),
        ("Host a\n  User 'b", 2, "a quote is not closed"),
        ("Host a\n\n  # x\n  ???", 4, "is not an ssh_config line"),
        ("Host #", 1, "Host has no value"),
    ],
)
def test_what_is_wrong_in_a_config_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(WrongSource, match=rf"^config:{line}: .*{re.escape(said)}"):
        openssh_config.parse_ssh_config(text, "config", Notes())


@pytest.mark.parametrize(
    ("config", "jump"),
    [
        ("Host a\n ProxyJump gate\nHost gate\n HostName gate.lan", "machine:gate"),
        ("Host a\n ProxyJump joe@gate:23\nHost gate\n HostName gate.lan\n User me", "host:joe@gate.lan:23"),
        ("Host a\n ProxyJump hop\nHost h*\n HostName %h.lan\n User me\n Port 23", "host:me@hop.lan:23"),
        ("Host a\n ProxyJump ssh://me@[fd00::1]:23/", "host:me@[fd00::1]:23"),
        ("Host a\n ProxyJump me@[fd00::1]", "host:me@[fd00::1]"),
        ("Host a\n ProxyJump none\nHost *\n ProxyJump gate", ""),
        ("Host *\n ProxyJump gate\nHost a gate", "machine:gate"),
    ],
)
def test_a_jump_host_is_a_host_of_the_file_or_told_in_full(tmp_path: Path, config: str, jump: str) -> None:
    path = tmp_path / "config"
    path.write_text(config)
    fleet = parse_fleet(import_file(str(path), "", [], Notes()).encode(), "fleet.yaml", (), {})
    jumps = {host.name: host.spec.jump for host in fleet.hosts}
    assert jumps["a"] == jump
    assert jumps.get("gate", "") == ""


def test_words_of_a_config_are_parted_as_ssh_does(tmp_path: Path) -> None:
    need("ssh")
    path = tmp_path / "config"
    path.write_text('Host "a" \'b\' # don\'t\n  User a#b\n  IdentityFile "/k/a b"\\c # it is\n\tHostName=x.lan # "\n')
    hosts = openssh_config.parse_ssh_config(path.read_text(), str(path), Notes())
    assert [host.name for host in hosts] == ["a", "b"]
    said = subprocess.run(
        ["ssh", "-F", path, "-G", "b"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for line in (f"user {hosts[1].user}", f"identityfile {hosts[1].key}", f"hostname {hosts[1].address}"):
        assert line in said


def test_files_that_include_themselves_come_to_an_end(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Include config\nHost a\n")
    with pytest.raises(WrongSource, match="files include each other more than 16 levels deep"):
        import_file(str(path), "ssh-config", [], Notes())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INI, "ansible"),
        (YAML, "ansible"),
        (CONFIG, "ssh-config"),
        ("host ansible_host=192.0.2.1\n", "ansible"),
        ("[host]\nHost x\n", "ansible"),
        ("web1\nweb2\n", "ansible"),
        ("Include other\n", "ssh-config"),
        ("host=a\n  port 22\n", "ssh-config"),
        ('{"all": {}}', "ansible"),
        ("", "ansible"),
    ],
)
def test_a_file_is_known_by_what_is_in_it(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Dear team,\nHost names stay, the servers move.\n",
        "Host names stay the same on all of our servers.\nThey are listed in the wiki.\n",
        "Note: this is a text\nand more of it: yes\n",
        "some words\n",
        '{"a": 1}',
    ],
)
def test_what_is_no_list_of_hosts_is_refused_with_how_to_see_why(text: str, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "README"
    path.write_text(text)
    done = machinectl("fleet", "import", path, store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    cause, hint = done.stderr.splitlines()
    assert cause == f"Error: {path}: this is neither an inventory nor an ssh_config"
    assert hint.endswith(f": machinectl fleet import --from ansible {path}")


def test_what_a_file_is_can_be_said(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("Host a\n")
    assert "  a:\n" in machinectl("fleet", "import", "--from", "ssh-config", path, store=store.root).stdout
    wrong = machinectl("fleet", "import", "--from", "ansible", path, store=store.root)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert f"Error: {path}:1: a word after the host is not a variable: write NAME=VALUE" in wrong.stderr
    unknown = machinectl("fleet", "import", "--from", "chef", path, store=store.root)
    assert unknown.returncode == 2
    assert "--from takes ansible or ssh-config, not 'chef'" in unknown.stderr


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    script, binary, nul = tmp_path / "script", tmp_path / "binary", tmp_path / "nul"
    script.write_text("#!/bin/sh\n")
    binary.write_bytes(b"a\nb\xff\n")
    nul.write_bytes(b"a\nb\0\n")
    for path, said in (
        (tmp_path, "is a directory"),
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (script, "this is a program, which machinectl does not run"),
        (binary, f"{binary}:2: This is not UTF-8"),
        (nul, f"{nul}:2: Here is a NUL"),
    ):
        with pytest.raises(MachineError, match=re.escape(said)):
            import_file(str(path), "", [], Notes())


@given(st.integers(0, 300), st.integers(0, 50), st.integers(1, 9), st.integers(0, 5), st.text("ab."))
def test_a_range_counts_through_both_of_its_ends(begin: int, length: int, step: int, width: int, tail: str) -> None:
    end = begin + length
    padded = width > len(str(end))
    first, last = (str(number).zfill(width) if padded else str(number) for number in (begin, end))
    expected = [f"w{str(n).zfill(width) if padded else n}{tail}" for n in range(begin, end + 1, step)]
    assert ranges.expand_hosts(f"w[{first}:{last}:{step}]{tail}") == (expected, "")
    if step == 1:
        assert ranges.expand_hosts(f"w[{first}:{last}]{tail}:22") == (expected, "22")


LETTERS = string.ascii_letters
SPANS = st.tuples(st.integers(0, 51), st.integers(0, 51)).map(lambda ends: (LETTERS[min(ends)], LETTERS[max(ends)]))


@given(st.lists(SPANS, max_size=2))
def test_several_ranges_are_all_their_pairs(spans: list[tuple[str, str]]) -> None:
    names, _ = ranges.expand_hosts("-".join(["x", *(f"[{begin}:{end}]" for begin, end in spans)]))
    expected = itertools.product(*(LETTERS[LETTERS.index(begin) : LETTERS.index(end) + 1] for begin, end in spans))
    assert names == ["-".join(["x", *each]) for each in expected]


@given(st.text())
def test_any_name_becomes_one_that_a_machine_can_have(name: str) -> None:
    assert is_name(as_name(name))


PIECES = [*INI.splitlines(), *YAML.splitlines(), *CONFIG.splitlines(), "[a:vars]", "[a:children]", "x: &y", "z: *y"]
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.lists(ANYTHING | st.sampled_from(PIECES), max_size=8).map("\n".join)


@given(text=LINES, kind=st.sampled_from(["ansible", "ssh-config"]))
def test_any_text_is_hosts_or_an_error_with_a_line(text: str, kind: str) -> None:
    try:
        said = [host.name for host in hosts_in(text, "/nowhere/hosts", kind, Notes())]
    except WrongSource as wrong:
        said = [wrong.cause if re.match(r"/nowhere/hosts:\d+: ", wrong.cause) else ""]
    assert all(said)


@given(text=LINES, kind=st.sampled_from(["ansible", "ssh-config"]))
def test_whatever_is_taken_over_can_be_read(text: str, kind: str) -> None:
    # What stands beside it, and is included, is nothing here.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "hosts")
        path.write_text(text, encoding="utf-8", newline="")
        try:
            words = import_file(str(path), kind, [], Notes())
        except WrongFile:
            raise
        except MachineError:
            # Most texts are none.
            words = "hosts: {}"
    parse_fleet(words.encode(), "/x/fleet.yaml", (), {})


def test_a_group_that_no_label_can_be_called_is_called_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("[a=b\x1b$]\nx\n")
    (host,) = parse_fleet(import_file(str(path), "", [], Notes()).encode(), "fleet.yaml", (), {}).hosts
    assert host.spec.labels == {"a-b-$": ""}


def test_a_file_without_hosts_is_an_error(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("Host forge\n  User git\nHost *\n  User me\n")
    done = machinectl("fleet", "import", path, "-o", tmp_path / "fleet.yaml", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}:1: forge is left out" in done.stderr
    assert "has no hosts with SSH" in done.stderr
    assert not (tmp_path / "fleet.yaml").exists()


def test_names_are_not_compared_with_all_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def is_like(name: str, pattern: str) -> bool:
        nonlocal compared
        compared += 1
        return real(name, pattern)

    real = openssh_config.is_like
    monkeypatch.setattr(openssh_config, "is_like", is_like)
    count = 1000
    lines = [f"Host h{n}.lan\nHostName 10.0.0.{n}\nProxyJump h0.lan\nHost h{n}.*\nUser u{n}" for n in range(count)]
    lines += [f"Host *{n}-w *{n}z?\nPort 1\nHost ?{n}.l?n\nPort {n}" for n in range(count)]
    several = " ".join(f"p{n}-* !q{n}-*" for n in range(count))
    found = openssh_config.parse_ssh_config("\n".join([*lines, f"Host * {several}\nIdentityFile k"]), "config", Notes())
    assert [(host.user, host.port, host.key) for host in found] == [(f"u{n}", str(n), "k") for n in range(count)]
    # Each name is matched only against patterns that share a literal part with it.
    assert compared < 20 * count


def test_a_file_that_is_long_and_odd_is_looked_through_once() -> None:
    # Where each line or name is held against all others, nobody sees the end of this.
    assert kind_of("\n" * 1_000_000 + "[\n" * 100_000) == "ansible"
    names = [f"h{number}" for number in range(20_000)]
    lines = [f"Host {' '.join(names)}\nUser all", *(f"Host {name}\nUser {name}\nPort 7" for name in names[:5000])]
    found = openssh_config.parse_ssh_config("\n".join(["Host !h7 h*\nPort 2222", *lines]), "config", Notes())
    assert [host.name for host in found] == names
    assert {(host.name, host.user, host.port) for host in found[6:9]} == {
        ("h6", "all", "2222"),
        ("h7", "all", "7"),
        ("h8", "all", "2222"),
    }


# Secrets that a file may hold, in each place where a file could be read.
SECRET = "hunter2"
NOT_FOREIGN = (
    "root:$y$hunter2:19000:0:99999:7:::",
    "hunter2",
    "hunter2 =",
    "User 'hunter2",
    "Host a\n  Port hunter2",
    "Host a\n  ProxyJump hunter2,hunter2",
    "Host a\n  ProxyJump hunter2:x",
    "Host a\n  IdentityFile %hunter2",
    "Host a\n  HostName hunter2;",
    "Host a\n  User hunter2\\;\x7f",
    "Host a\nProxyCommand=hunter2",
    "[hunter2:x]",
    "[hunter2 x]",
    "[hunter2:vars]",
    "[a:children]\nhunter2",
    "[a:children]\nhunter2 x",
    "[a:vars]\nhunter2",
    "a hunter2",
    "a 'hunter2",
    "a ansible_port=hunter2",
    "a ansible_host='hunter2;'",
    "a ansible_connection=hunter2",
    "a ansible_ssh_common_args='-o hunter2 -J hunter2'",
    "hunter2[1:2:hunter2]",
    "hunter2[9:1]",
    "hunter2:",
    "a: *hunter2",
    "a: {hunter2",
    'a: "\\qhunter2"',
    "all: [hunter2]",
    "all: {hosts: hunter2}",
    "all: {children: {b: hunter2}}",
    "all: {hosts: {'a[hunter2': }}",
)


@pytest.mark.parametrize("text", NOT_FOREIGN)
def test_a_file_that_is_not_what_it_is_taken_for_is_not_shown(store: Store, tmp_path: Path, text: str) -> None:
    secret = tmp_path / "host_vars" / "web"
    secret.parent.mkdir()
    secret.write_text(f"{text}\n")
    for name, includes in (("config", f"Host web\n  HostName w.lan\nInclude {secret}\n"), ("hosts", "web\n")):
        path = tmp_path / name
        path.write_text(includes)
        console = Quiet()
        try:
            words = fleet_import(store, console, str(path), "")
        except MachineError as exc:
            words = f"{exc.cause} {exc.hint}"
        said = "\n".join([words if "hosts:\n" not in words else "", *console.said])
        assert SECRET not in said
