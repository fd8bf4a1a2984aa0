"""What is written of machines: read again as the very same texts, and `plan` finds nothing to do."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.driver.installed_drivers import load
from machinectl.fleet.fleet_file import parse_fleet
from machinectl.fleet.new_fleet import TEMPLATE, Draft, comment, fleet_init, machine_entry, settled, yaml_lines
from machinectl.fleet.plan import planned_steps
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.fleet.fleet_file import Fleet
    from machinectl.machines.store import Store

OPTIONS = {name: load(name).options() for name in ("generic", "none")}
# What a file can hold at all: no half characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# What a fleet's file takes as a value: no controls either.
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
# What YAML, or a fleet's file, takes for something else where it stands bare.
AWKWARD = st.sampled_from(
    [
        *("$", "${HOME}", "$$", "yes", "null", "~", "1", "0x1f", "0o17", "1e3", "1:30", "2026-11-25", "<<", "=", "*a"),
        *("&a", "!a", "-", "[a]", "{a}", "a,b", "'", '"', "\\", "%a", "@a", "`a", "---", "...", "?"),
        *("", " ", "# no comment", "a: b", "a #b", "- a", "{a: b}", "| a", "? a", "a:", ":a", "tcp://[fd00::1]:2376"),
        *("ä", "\u202eabc", "\ufeff", "\u2028", "😀"),
    ]
)


def read(words: str, store: Store | None = None) -> Fleet:
    names = store.names() if store else []
    return parse_fleet(words.encode(), "/somewhere/fleet.yaml", names, {"HOME": "/wrong"})


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
@given(value=TEXTS | AWKWARD)
def test_a_text_is_the_same_when_it_is_read_wherever_it_stands(loader: str, value: str) -> None:
    loading = getattr(yaml, loader, yaml.SafeLoader)
    for kept in (value, (value, value), {value: value}):
        document = "\n".join(["a:", *yaml_lines({value or "b": kept}, 2)])
        read_again = yaml.load(document, Loader=loading)["a"][value or "b"]
        text = value.replace("$", "$$")
        assert read_again == ({value: text} if isinstance(kept, dict) else text if kept == value else [text, text])


@given(remark=st.text())
def test_a_comment_is_one_line_of_which_nothing_is_read(remark: str) -> None:
    assert yaml.safe_load(f"{comment(remark, 2)}\na: b\n") == {"a": "b"}


PRINTABLE = VALUES.filter(str.isprintable)
LABEL_KEYS = PRINTABLE.filter(lambda key: key.strip() and "=" not in key)
NAMES = st.lists(
    st.text("abcXYZ0189-.", min_size=1, max_size=8).filter(lambda name: name[0] not in "-."),
    min_size=1,
    max_size=5,
    unique_by=str.lower,
)
LISTS = st.lists(VALUES | AWKWARD, max_size=3).map(tuple)


@st.composite
def machines(draw: st.DrawFn, name: str) -> Machine:
    """Any machine that was made: what is on its record was asked, and checked then."""
    number = draw(st.integers(0, 10**6))
    if draw(st.booleans()):
        tls = draw(st.booleans())
        machine = Machine(
            name, "none", url=f"tcp://10.{number}.lan:{draw(st.sampled_from([2375, 2376, 4000]))}", tls=tls
        )
        machine.options = {"url": draw(st.sampled_from([machine.url, "tcp://old:1"]))}
    else:
        machine = Machine(name, "generic", url=f"tcp://h{number}.lan:2376", tls=True)
        machine.options = draw(
            st.fixed_dictionaries(
                {"generic-ip-address": st.just(f"h{number}.lan")},
                optional={
                    "generic-ssh-user": st.sampled_from(["", "ops", "root"]) | VALUES,
                    "generic-ssh-key": st.sampled_from(
                        ["", "/keys/id", "~/.ssh/id", "/k $HOME/#1: a", "id", "../k//id"]
                    ),
                    "generic-ssh-port": st.integers(0, 65535),
                    "generic-engine-port": st.integers(1, 65535),
                    "generic-copy-key": st.booleans(),
                    "generic-mac": st.sampled_from(["", "52:54:00:12:34:56"]),
                },
            )
        )
    machine.labels = draw(st.dictionaries(LABEL_KEYS, VALUES | AWKWARD, max_size=3))
    machine.engine = EngineOptions(
        options=draw(LISTS),
        insecure_registries=draw(LISTS),
        registry_mirrors=draw(LISTS),
        env=tuple(f"A{number}={value}" for number, value in enumerate(draw(st.lists(PRINTABLE, max_size=3)))),
        tls_sans=draw(LISTS),
        install=draw(st.sampled_from(["", "auto", "distro"])),
        version=draw(VALUES),
        bind=draw(st.sampled_from(["", "192.0.2.1", "fd00::1"])),
    )
    machine.provision, machine.context = draw(st.booleans()), draw(st.booleans())
    machine.lifetime = draw(st.sampled_from(["", "12h", "90d"]))
    machine.jump = draw(st.sampled_from(["", "host:joe@hop", "host:joe@[fd00::1]:22", "host:hop"]))
    return machine


@settings(max_examples=25)
@given(st.data())
def test_plan_finds_nothing_to_do_on_what_is_written_of_the_machines(data: st.DataObject) -> None:
    records = {name: data.draw(machines(name)) for name in data.draw(NAMES)}
    hosts = [machine_entry(machine, OPTIONS[machine.driver]) for machine in records.values()]
    draft = settled(Draft(("A heading",), hosts, OPTIONS), records)
    fleet = read(draft.text())
    untold = {host.name for host in hosts if host.remarks}
    steps = planned_steps(fleet, records)
    assert {step.name for step in steps if step.name not in untold and step.differences} == set()
    assert all(f"{name} is left out" in draft.text() for name in records.keys() - {host.name for host in fleet.hosts})
    if not draft.left_out:
        assert [host.name for host in fleet.hosts] == list(records)


def made(store: Store, name: str, driver: str = "generic", **settings: object) -> Machine:
    machine = Machine(name, driver, url=f"tcp://{name}.lan:2376", tls=True)
    machine.options = {"generic-ip-address": f"{name}.lan"} if driver == "generic" else {"url": machine.url}
    for key, value in settings.items():
        setattr(machine, key, value)
    return added(store, machine)


def test_what_all_say_stands_in_the_defaults_and_hosts_are_in_their_natural_order(store: Store) -> None:
    for name in ("m10", "m2", "m1"):
        machine = Machine(name, "generic", url=f"tcp://{name}.lan:2376", tls=True)
        machine.options = {
            "generic-ip-address": f"{name}.lan",
            "generic-ssh-user": "ops",
            "generic-ssh-port": 23 if name == "m1" else 24,
        }
        added(store, machine)
    assert fleet_init(store, Quiet(), []).partition("defaults:\n")[2] == textwrap.dedent(
        """\
          driver: generic
          ssh-user: ops

        hosts:
          m1:
            ip-address: m1.lan
            ssh-port: 23
          m2:
            ip-address: m2.lan
            ssh-port: 24
          m10:
            ip-address: m10.lan
            ssh-port: 24
        """
    )


def test_what_is_half_made_or_broken_or_there_twice_is_a_comment_that_says_why(store: Store) -> None:
    made(store, "orion")
    made(store, "twin", options={"generic-ip-address": "ORION.lan"})
    made(store, "inner", jump="machine:twin")
    made(store, "half", phase=Phase.CREATING)
    made(store, "foreign", driver="nonesuch")
    made(store, "broken")
    Path(store.directory("broken"), "machine.json").write_text("{")
    console = Quiet()
    words = fleet_init(store, console, [])
    assert [warning.split()[0] for warning in console.warnings] == ["broken", "foreign", "half", "twin"]
    assert [(host.name, host.spec.jump) for host in read(words, store).hosts] == [
        ("inner", "machine:twin"),
        ("orion", ""),
    ]
    comments = [line.strip() for line in words.splitlines() if "is left out" in line]
    assert comments[0].startswith('# broken is left out: The machine.json of "broken" is not JSON')
    assert comments[1].startswith('# foreign is left out: Driver "nonesuch" not found.')
    assert comments[2].startswith('# half is left out: Machine "half" is incomplete: its creation was interrupted.')
    assert comments[3:] == ["# twin is left out: twin has the same ip-address and ssh-port as orion: they are one host"]


def test_a_secret_is_not_written_but_told_of(store: Store) -> None:
    machine = Machine("orion", "generic", url="tcp://orion.lan:2376", tls=True)
    machine.options = {"generic-ip-address": "orion.lan"}
    machine.labels = {"role": "web", "api-token": "hunter2"}
    machine.engine = EngineOptions(
        options=("log-level=warn", "log-opt=splunk-token=hunter2"), env=("HTTP_PROXY=http://me:hunter2@proxy", "A=b")
    )
    added(store, machine)
    console = Quiet()
    words = fleet_init(store, console, [])
    assert "hunter2" not in words + "".join(console.said)
    assert "orion: a secret is left out: the label api-token" in console.warnings
    assert (
        "  # a secret is left out: put it into a file, engine-env-file: engine-env HTTP_PROXY=http://me:***@p" in words
    )
    (host,) = read(words).hosts
    assert host.spec.engine == EngineOptions(options=("log-level=warn",), env=("A=b",))
    assert host.spec.labels == {"role": "web"}


def test_without_machines_it_is_a_file_to_begin_with_each_part_of_which_can_be_switched_on(store: Store) -> None:
    words = fleet_init(store, Quiet(), [])
    assert words.endswith(TEMPLATE.replace("@NAME@", read(words).id.text))
    assert read(words).hosts == ()
    switched_on = re.sub(r"^#(?=[a-z]+:|  )", "", words, flags=re.MULTILINE).replace("hosts: {}", "hosts:")
    orionbox, nas = read(switched_on).hosts
    assert orionbox.spec.options["generic-ip-address"] == "192.168.0.29"
    assert orionbox.spec.options["generic-ssh-user"] == "ops"
    assert nas.certificates.directory == "/somewhere/certs/nas"


def test_the_name_is_that_of_the_machines_fleet_else_a_new_one(store: Store) -> None:
    def named(*names: str, directory: str = "/srv/My servers") -> str:
        return read(fleet_init(store, console, names, directory), store).id.text

    console = Quiet()
    for name in ("a1", "a2", "b1", "c1", "d1"):
        made(store, name, options={"generic-ip-address": f"{name}.lan"})
        with store.writing(name) as held:
            held.machine.fleet = {"a": "lab", "b": "my-servers", "c": "/srv/fleet.yaml"}.get(name[0], "")
            held.write()
    assert [named("a1", "a2"), named("a2", "d1"), named("a1", "b1"), named("c1"), named(directory="/")] == [
        "lab",
        "lab",
        "my-servers-2",
        "my-servers-2",
        "fleet",
    ]
    assert console.warnings == ["the fleet lab has more machines, which plan would remove: a1"]


def test_a_file_is_written_once_and_never_over_another(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(store, "orion")
    path = tmp_path / "fleet.yaml"
    done = machinectl("fleet", "init", "-o", path, store=store.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert path.read_text() == machinectl("fleet", "init", store=store.root).stdout
    planned = machinectl("plan", "-f", path, "--detailed-exitcode", store=store.root)
    assert planned.returncode == 0, planned.stdout
    path.write_text("mine")
    done = machinectl("fleet", "init", "-o", path, store=store.root)
    assert done.returncode == 1
    assert "exists already, and was not changed" in done.stderr
    assert path.read_text() == "mine"
    done = machinectl("fleet", "init", "-o", tmp_path / "no" / "fleet.yaml", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written: No such file or directory" in done.stderr


def test_nothing_is_left_of_a_file_that_the_disk_has_no_room_for(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
        "from machinectl.files.user_files import write_new_file; from machinectl.errors import MachineError\n"
        "try: write_new_file(sys.argv[1], 'x' * 100)\n"
        "except MachineError as exc: print(exc.cause)"
    )
    done = subprocess.run([sys.executable, "-c", limited, path], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large" in done.stdout
    assert not path.exists()
