"""`machinectl inventory`: Ansible itself takes it, and Prometheus' file_sd has it as it is written down."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.inventories import ansible_export, prometheus
from machinectl.machines.answered_address import ENGINE, SSH
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from tests.support.ansible import listed, run
from tests.support.example import EXAMPLES
from tests.support.in_process import machinectl
from tests.support.program import on_the_path
from tests.support.registered import added, register
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

SCRIPT = EXAMPLES / "ansible" / "inventory"
TEMPLATE = '{{ lookup("pipe", "touch ran") }}'


def engine(store: Store, name: str, url: str, *options: str, labels: dict[str, str] | None = None) -> Machine:
    machine = Machine(name, "none", url=url)
    machine.driver_state = json.dumps({"URL": url})
    machine.labels = labels or {}
    machine.engine = EngineOptions(options=options)
    return added(store, machine)


@pytest.fixture
def here(store: Store, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has machinectl on the PATH."""
    return {"MACHINE_STORAGE_PATH": store.root, "PATH": on_the_path(tmp_path / "bin")}


def test_of_several_addresses_ansible_gets_the_last_that_answered_and_prometheus_the_first(store: Store) -> None:
    machine = Machine("orion", "generic", url="tcp://192.0.2.7:2376", tls=True, addresses=["10.8.0.29", "orion.vpn"])
    state = {"IPAddress": "192.0.2.7", "SSHUser": "ops", "SSHPort": 22, "SSHKeyPath": "", "EnginePort": 2376}
    machine.driver_state = json.dumps(state)
    machine.engine = EngineOptions(options=("metrics-addr=0.0.0.0:9323",))
    added(store, machine, {SSH: b"10.8.0.29\n", ENGINE: b"orion.vpn\n"})
    found = ansible_export.host_variables(store.read("orion"))
    assert (found["ansible_host"], found["docker_host"]) == ("10.8.0.29", "tcp://orion.vpn:2376")
    assert found["machinectl_addresses"] == ["192.0.2.7", "10.8.0.29", "orion.vpn"]
    target = prometheus.scrape_target(store.read("orion"))
    assert target
    assert target["targets"] == ["192.0.2.7:9323"]


def test_ansible_takes_the_example_for_an_inventory(store: Store, here: dict[str, str]) -> None:
    machine = Machine("orionbox", "generic", url="tcp://192.0.2.7:2376", tls=True)
    state = {"IPAddress": "192.0.2.7", "SSHUser": "ops", "SSHPort": 2222, "SSHKeyPath": "id_ssh", "EnginePort": 2376}
    machine.driver_state = json.dumps(state)
    machine.labels = {"role": "web", "rack 1": "", "note": TEMPLATE, "all": ""}
    added(store, machine, {"known_hosts": b"machinectl ssh-ed25519 AAAA\n", "id_ssh": b"key"})
    engine(store, "nas", "tcp://192.0.2.8:2375", labels={"role": "store"})
    engine(store, "far", "ssh://joe@192.0.2.9:22")
    found = listed(SCRIPT, here)
    assert {name: set(group["hosts"]) for name, group in found.items() if name not in {"_meta", "all"}} == {
        "docker": {"orionbox", "nas", "far"},
        "driver_generic": {"orionbox"},
        "driver_none": {"nas", "far"},
        "ssh": {"orionbox", "far"},
        "role_web": {"orionbox"},
        "role_store": {"nas"},
        "rack_1": {"orionbox"},
        "label_all": {"orionbox"},
        ansible_export.label_group("note", TEMPLATE): {"orionbox"},
    }
    of_hosts = found["_meta"]["hostvars"]
    assert of_hosts["far"] | {"ansible_host": "192.0.2.9", "ansible_port": 22, "ansible_user": "joe"} == of_hosts["far"]
    assert of_hosts["nas"] == {
        "docker_host": "tcp://192.0.2.8:2375",
        "machinectl_driver": "none",
        "machinectl_labels": {"role": "store"},
    }
    orionbox = of_hosts["orionbox"]
    assert orionbox["docker_host"] == "tcp://192.0.2.7:2376"
    assert orionbox["docker_cert_path"] == store.directory("orionbox")
    assert (orionbox["ansible_host"], orionbox["ansible_port"], orionbox["ansible_user"]) == ("192.0.2.7", 2222, "ops")
    assert orionbox["ansible_ssh_private_key_file"] == f"{store.directory('orionbox')}/id_ssh"
    assert "-o IdentitiesOnly=yes" in orionbox["ansible_ssh_common_args"]
    one = machinectl("inventory", "--ansible", "--host", "nas", store=store.root)
    assert json.loads(one.stdout) == of_hosts["nas"]


def test_what_a_label_says_is_no_template_of_ansibles(store: Store, here: dict[str, str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    note = TEMPLATE.replace("ran", str(ran))
    engine(store, "nas", "tcp://192.0.2.8:2375", labels={"note": note})
    shown = run("ansible", "-i", SCRIPT, "nas", "-m", "debug", "-a", "var=machinectl_labels", environment=here)
    assert shown.returncode == 0
    assert json.dumps(note) in shown.stdout
    assert not ran.exists()


def echoed(here: dict[str, str], group: str) -> dict[str, str]:
    """Have Ansible run `echo in` on machines. Returns what it says of each."""
    done = run("ansible", "-i", SCRIPT, group, "-m", "raw", "-a", "echo in", environment=here)
    parts = re.split(r"^(\w+) \| ", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_ansible_logs_in_with_the_machines_key_at_its_pinned_host_and_no_other(
    store: Store, sshd: Sshd, another_sshd: Sshd, here: dict[str, str]
) -> None:
    register(store, "orionbox", sshd)
    register(store, "rigel", another_sshd)
    another_sshd.host_keys = [keygen(another_sshd.directory / "another_host_key")]
    found = echoed(here, "ssh")
    assert "rc=0 >>\nin\n" in found["orionbox"]
    assert found["rigel"].startswith("UNREACHABLE!")
    assert "HAS CHANGED" in found["rigel"]


def test_ansible_goes_through_a_machine_to_one_behind_it(store: Store, sshd: Sshd, here: dict[str, str]) -> None:
    for gate, name in (("gate", "inner"), ("another", "unreached")):
        register(store, gate, sshd)
        register(store, name, sshd)
        with store.writing(name) as held:
            held.machine.jump = f"machine:{gate}"
            held.write()
    arguments = ansible_export.host_variables(store.read("inner"))["ansible_ssh_common_args"]
    assert f"{store.directory('gate')}/known_hosts" in arguments
    # Its pin alone lets nobody past the jump host's own.
    other = public(keygen(sshd.directory / "other"))
    Path(store.directory("another"), "known_hosts").write_text(f"machinectl {other}")
    found = echoed(here, "inner:unreached")
    assert "rc=0 >>\nin\n" in found["inner"]
    assert found["unreached"].startswith("UNREACHABLE!")


def test_what_is_half_made_or_broken_is_left_out_with_a_warning(store: Store) -> None:
    engine(store, "nas", "tcp://192.0.2.8:2375", "metrics-addr=:9323")
    half = Machine("half", "none")
    half.phase = Phase.CREATING
    added(store, half)
    Path(store.directory("broken")).mkdir()
    Path(store.directory("broken"), "machine.json").write_text("{")
    done = machinectl("inventory", "--ansible", store=store.root)
    assert done.returncode == 0
    assert list(json.loads(done.stdout)["_meta"]["hostvars"]) == ["nas"]
    assert "half is left out: it is incomplete" in done.stderr
    assert 'broken is left out: The machine.json of "broken"' in done.stderr
    done = machinectl("inventory", "--prometheus", store=store.root)
    assert [each["targets"] for each in json.loads(done.stdout)] == [["192.0.2.8:9323"]]
    assert "broken is left out" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "is for either --ansible or --prometheus"),
        (["--ansible", "--prometheus"], "is for either --ansible or --prometheus"),
        (["--prometheus", "--host", "nas"], "--list and --host are Ansible's"),
        (["--ansible", "--list", "--host", "nas"], "--list and --host exclude each other"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(store: Store, words: list[str], said: str) -> None:
    done = machinectl("inventory", *words, store=store.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("url", "asked", "target"),
    [
        ("tcp://192.0.2.8:2376", "0.0.0.0:9323", "192.0.2.8:9323"),
        ("tcp://192.0.2.8:2376", ":9323", "192.0.2.8:9323"),
        ("tcp://[fd00::8]:2376", "[::]:9323", "[fd00::8]:9323"),
        ("tcp://192.0.2.8:2376", "[fd00::9]:9324", "[fd00::9]:9324"),
        ("tcp://192.0.2.8:2376", "10.0.0.8:9323", "10.0.0.8:9323"),
        ("ssh://joe@orion.lan:22", "0.0.0.0:9323", "orion.lan:9323"),
    ],
)
def test_metrics_are_asked_for_where_they_are_seen_from_elsewhere(
    store: Store, url: str, asked: str, target: str
) -> None:
    found = prometheus.scrape_target(engine(store, "orion", url, f"metrics-addr={asked}", labels={"role": "web"}))
    assert found == {"targets": [target], "labels": {"machine": "orion", "driver": "none", "role": "web"}}


@pytest.mark.parametrize(
    ("url", "asked", "said"),
    [
        ("tcp://192.0.2.8:2376", "127.0.0.1:9323", "which only the host itself can reach"),
        ("tcp://192.0.2.8:2376", "[::1]:9323", "which only the host itself can reach"),
        ("tcp://192.0.2.8:2376", "localhost:9323", "which only the host itself can reach"),
        ("tcp://192.0.2.8:2376", "0.0.0.0", "has no port"),
        ("tcp://192.0.2.8:2376", "nonsense:port", "is not an address with a port"),
        ("unix:///run/docker.sock", ":9323", "its host's address is unknown"),
    ],
)
def test_metrics_that_cannot_be_had_from_elsewhere_are_told_of(store: Store, url: str, asked: str, said: str) -> None:
    engine(store, "orion", url, f"metrics-addr={asked}")
    engine(store, "quiet", "tcp://192.0.2.9:2376", "log-level=warn")
    done = machinectl("inventory", "--prometheus", store=store.root)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert said in done.stderr
    assert "quiet" not in done.stderr


LABELS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)


@given(LABELS)
def test_any_labels_become_names_that_prometheus_and_ansible_take(labels: dict[str, str]) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.8:2376")
    machine.labels = labels
    for name in prometheus.prometheus_labels(machine):
        # https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)
        assert not name.startswith("__")
        assert name not in prometheus.OWN
    for name in ansible_export.inventory_groups([machine], []):
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        assert name not in {"all", "ungrouped"}


# One that begins like Ansible's own marks is left out of what is printed.
KEYS = st.text().filter(lambda key: not key.startswith("__ansible_"))


@given(st.recursive(st.text(string.printable), lambda inner: st.dictionaries(KEYS, inner, max_size=2)))
def test_a_value_is_the_same_with_its_mark_or_without_it(value: Any) -> None:
    def read(data: Any) -> Any:
        if isinstance(data, dict):
            return data["__ansible_unsafe"] if "__ansible_unsafe" in data else {k: read(v) for k, v in data.items()}
        return data

    assert read(ansible_export.escape_templates(value)) == value
