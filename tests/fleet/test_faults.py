from __future__ import annotations

import pytest

from tests.support.fleet_file import HOST, fault, fault_of, faults, parsed


def test_all_that_is_wrong_is_told_in_one_go_by_its_places_with_the_nearest_right_one() -> None:
    text = """\
        defaults: {driver: generic, ssh-usr: ops}
        group: {}
        groups:
          web: {engine-opts: [log-driver=local], groups: [db]}
        hosts:
          orion: {ip-address: 192.168.0.29, groups: [web, dbs]}
          x_y: {ip-address: rigel, no-provisioning: true}
          nas:
            driver: nono
          rigel:
            url: tcp://rigel
        """
    assert faults(text) == [
        "1:29: unknown option of a host 'ssh-usr': did you mean ssh-user?",
        "2:1: unknown part of a fleet file 'group': did you mean groups?",
        "4:9: unknown option of a host 'engine-opts': did you mean engine-opt?",
        "4:42: The group web cannot be in groups: only hosts can",
        "6:51: unknown group 'dbs' (known: web)",
        "7:3: 'x_y' cannot be a host's name: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -",
        "7:28: unknown option of a host 'no-provisioning': did you mean no-provision?",
        '9:13: Driver "nono" not found. Do you have the plugin installed? (installed: generic, none)',
        "10:3: rigel has no ip-address: driver generic needs it",
        "11:5: url is an option of driver none; the driver of rigel is generic",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ssh-port: 0123", "ssh-port is a whole number, this is '0123'"),
        ("ssh-port: 99999", "ssh-port: --ssh-port 99999 is not a port. Give a number from 0 to 65535"),
        ("mac: 10:20:30", "mac: --mac '10:20:30' is not a MAC address. Give it as 52:54:00:12:34:56"),
        ("engine-opt: {a: b}", "engine-opt is a list of texts, this is a mapping"),
        ("engine-opt: [dns=1.1.1.1, dns=9.9.9.9, label=a=b, label=c=d, log-opt=a=1, log-opt=b=1]", ""),
        ("engine-install: dockr", "engine-install: 'dockr' is not one of auto, docker, distro, none"),
        (
            "engine-env: [HTTP_PROXY]",
            "engine-env: --engine-env 'HTTP_PROXY' is not a variable. Write --engine-env NAME=VALUE",
        ),
        ("labels: [a=b]", "labels is a mapping of texts, this is a list"),
        ("swarm: leader", "swarm: 'leader' is not one of manager, worker"),
        ("swarm: worker, no-provision: true", "orion has no-provision, so that it cannot be a worker"),
        (
            'ssh-user: "a\\nb"',
            "ssh-user contains a line break or another control character",
        ),
        (
            "ssh-jump: rigel",
            "ssh-jump: 'rigel' is neither a host of this file nor a machine; write another host as user@host",
        ),
        ("ssh-jump: gats", "ssh-jump: 'gats' is neither a host of this file nor a machine: did you mean gate?"),
        ("ssh-user: -oProxyCommand=x", "ssh-user: '-oProxyCommand=x' is not a user's name"),
        ("ssh-jump: '-oProxyCommand=x@y'", "ssh-jump: '-oProxyCommand=x@y' is not a jump host."),
        ("ssh-jump: orion", "ssh-jump: jump hosts form a loop: orion -> orion"),
        ("tls-dir: a, tls-ca-cert: b", "orion has tls-dir and tls-ca-cert: remove one"),
        ("tls-client-key: a", "orion lacks tls-ca-cert and tls-client-cert, or tls-dir in their place"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: str, said: str) -> None:
    if said:
        assert fault_of(f"{HOST}, {options}", machines=("gate",)).startswith(said)
    else:
        parsed(f"defaults: {{driver: generic}}\nhosts: {{orion: {{{HOST}, {options}}}}}")


def test_what_is_wrong_in_a_list_is_named_where_it_stands() -> None:
    host = "orion:\n    engine-opt:\n    - log-driver=local\n    - log-driver=journald"
    text = f"hosts:\n  {host}\ndefaults: {{driver: none, url: 'tcp://a'}}"
    assert faults(text)[0].startswith("4:5: engine-opt: --engine-opt log-driver is given twice")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: The file is empty: a fleet file has hosts"),
        ("- hosts", "1:1: A fleet file is a mapping, this is a list"),
        ("defaults: {}", "1:1: The file has no hosts: write them under hosts"),
        ("hosts: [orion]", "1:8: hosts needs lines KEY: VALUE, this is a list"),
        ("hosts: {orion: 'ops:x@rigel'}", "1:16: orion: An address holds no password"),
        ("hosts: {orion: {}}", "1:9: orion has no driver: write driver: generic, here or in defaults"),
        ("hosts: {orion: {url: 'tcp://a:2376'}}", "1:9: orion has no driver: write driver: none, here or in defaults"),
        ("hosts: {}\ndefaults: {engine-install: x, ssh-port: y}", "2:28: engine-install: 'x' is not one of"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, said: str) -> None:
    first, *_ = faults(text)
    assert first.startswith(said)


def test_what_no_host_is_told_is_checked_all_the_same() -> None:
    assert faults("defaults: {swarm: x, mac: y}\ngroups: {a: {ssh-port: z, labels: {b: '${C}'}}}\nhosts:") == [
        "1:19: swarm: 'x' is not one of manager, worker",
        "1:27: mac: --mac 'y' is not a MAC address. Give it as 52:54:00:12:34:56",
        "2:24: ssh-port is a whole number, this is 'z'",
        "2:39: label: ${C} is not set: export C, or write ${C:-text}",
    ]


def test_one_host_twice_is_refused_and_other_ports_of_it_are_not() -> None:
    text = """\
        defaults: {{driver: generic}}
        hosts:
          orion: {{ip-address: Orion.local}}
          other: {{ip-address: orion.local, ssh-port: {port}}}
          nas: {{driver: none, url: tcp://orion.local}}
          sam: {{driver: none, url: tcp://orion.local:{engine}}}
        """
    assert len(parsed(text.format(port=2222, engine=2377)).hosts) == 4
    assert faults(text.format(port=0, engine=2376)) == [
        "4:23: other has the same ip-address and ssh-port as orion: they are one host",
        "6:28: sam has the same url as nas: they are one host",
    ]


def test_jump_hosts_are_of_the_file_or_machines_or_anywhere_and_never_in_a_circle() -> None:
    text = """\
        defaults: {{driver: generic}}
        hosts:
          a: {{ip-address: a, ssh-jump: {a}}}
          b: {{ip-address: b, ssh-jump: a}}
          c: {{ip-address: c, ssh-jump: b}}
        """
    for jump, meant in (
        ("gate", "machine:gate"),
        ("machine:gate", "machine:gate"),
        ("ops@gate", "host:ops@gate"),
        ("ops@gate:2222", "host:ops@gate:2222"),
        ("'ops@[fd00::1]:22'", "host:ops@[fd00::1]:22"),
        ("host:gate", "host:gate"),
        ("host:fd00::1", "host:fd00::1"),
    ):
        assert [host.spec.jump for host in parsed(text.format(a=jump), machines=["gate"]).hosts] == [
            meant,
            "machine:a",
            "machine:b",
        ]
    assert faults(text.format(a="c")) == [
        "3:32: ssh-jump: jump hosts form a loop: a -> c -> b -> a",
    ]


def test_a_jump_host_is_for_hosts_with_ssh() -> None:
    text = "hosts: {nas: {driver: none, url: tcp://nas, ssh-jump: ops@gate}}"
    assert fault(text) == "1:55: ssh-jump is for SSH, which driver none does not use"
