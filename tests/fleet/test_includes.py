"""Files that a fleet's file includes: what they come to together, and where errors are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.fleet.fleet_file import read_fleet
from machinectl.fleet.yaml_nodes import WrongFile

if TYPE_CHECKING:
    from machinectl.fleet.fleet_file import Fleet

MAIN = "fleet: lab\ninclude: [sites/a.yaml, sites/b/b.yml]\ndefaults: {driver: generic}\nhosts: {web[1:2].lan: }\n"
SITE_A = "include: ../base.yaml\nhosts:\n  a1: {ip-address: 10.0.0.1, groups: [web], ssh-key: key}\n"
SITE_B = "include: ../../base.yaml\nhosts:\n  b1: {ip-address: 10.0.0.2, groups: [web], tls-dir: ./tls}\n"
BASE = "groups: {web: {engine-opt: [log-driver=local], engine-env-file: base.env}}\n"
FILES = {
    "fleet.yaml": MAIN.replace("{web[1:2].lan: }", '{"web[1:2].lan": }'),
    "sites/a.yaml": SITE_A,
    "sites/b/b.yml": SITE_B,
    "base.yaml": BASE,
    "base.env": "A=b\n",
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files are, and the user is above it."""
    monkeypatch.chdir(tmp_path)
    write(FILES)
    (tmp_path / "infra" / "base.env").chmod(0o600)
    return tmp_path / "infra"


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path("infra", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def fleet() -> Fleet:
    return read_fleet("infra/fleet.yaml", ["b1"], {})


def faults(**changed: str) -> list[str]:
    """What is wrong once these files are changed, by their names without suffixes."""
    write({next(name for name in FILES if Path(name).stem == stem): text for stem, text in changed.items()})
    with pytest.raises(WrongFile) as raised:
        fleet()
    return raised.value.cause.splitlines()[1:]


def test_all_are_read_as_one_and_paths_begin_where_they_stand(directory: Path) -> None:
    found = fleet()
    assert found.id.text == "lab"
    assert [host.name for host in found.hosts] == ["web1.lan", "web2.lan", "a1", "b1"]
    _, _, a1, b1 = found.hosts
    assert a1.spec.options["generic-ssh-key"] == str(directory / "sites" / "key")
    assert b1.certificates.directory == str(directory / "sites" / "b" / "tls")
    assert a1.spec.engine == b1.spec.engine
    assert (a1.spec.engine.options, a1.spec.engine.env) == (("log-driver=local",), ("A=b",))


def test_what_is_in_two_files_is_an_error_that_names_both_places() -> None:
    more = "  a1: {}\n  web2.lan: {}\n  b3: {ip-address: 10.0.0.1}\ngroups: {web: {}}\ndefaults: {driver: none}\n"
    assert faults(b=SITE_B + more) == [
        "infra/sites/b/b.yml:4:3: 'a1' is defined twice: first in infra/sites/a.yaml:3",
        "infra/sites/b/b.yml:5:3: 'web2.lan' is defined twice: first in infra/fleet.yaml:4",
        "infra/sites/b/b.yml:6:20: b3 has the same ip-address and ssh-port as a1: they are one host",
        "infra/sites/b/b.yml:7:10: 'web' is defined twice: first in infra/base.yaml:1",
        "infra/sites/b/b.yml:8:12: 'driver' is defined twice: first in infra/fleet.yaml:3",
    ]


def test_what_is_wrong_in_a_file_is_told_with_its_line() -> None:
    assert faults(a=SITE_A.replace("groups", "group"), b=f"{SITE_B}fleet: x\nhost: {{}}\n") == [
        "infra/sites/a.yaml:3:30: unknown option of a host 'group': did you mean groups?",
        "infra/sites/b/b.yml:4:1: fleet: only the file that includes this one can name the fleet",
        "infra/sites/b/b.yml:5:1: unknown part of a fleet file 'host': did you mean hosts?",
    ]


def test_files_that_cannot_be_included_are_told_where_they_are_named(directory: Path) -> None:
    (directory / "dir.yaml").mkdir()
    named = 'include: [nope.yaml, /etc/passwd, "${X}.yaml", [a], ./fleet.yaml, sites/a.yaml, dir.yaml, sites/a.yml]\n'
    assert faults(base=named + BASE) == [
        "infra/base.yaml:1:11: include: infra/nope.yaml cannot be read: No such file or directory",
        "infra/base.yaml:1:22: include: '/etc/passwd' is not a file named *.yaml or *.yml",
        "infra/base.yaml:1:35: include: '${X}.yaml' is not a file named *.yaml or *.yml",
        "infra/base.yaml:1:48: include is a list of files, this is a list",
        "infra/base.yaml:1:81: include: infra/dir.yaml cannot be read: Is a directory",
        "infra/base.yaml:1:91: include: infra/sites/a.yml cannot be read: No such file or directory",
    ]


def test_the_name_of_a_file_stays_within_its_line() -> None:
    write({"a\x1b[2J\nb.yaml": "hosts: {a: [1]}"})
    [fault] = faults(base='include: "a\\e[2J\\nb.yaml"\n' + BASE)
    assert fault.startswith("infra/a [2J b.yaml:1:12: ")


def test_a_file_is_read_once_also_if_files_include_each_other() -> None:
    write({"d0.yaml": "include: d1.yaml", "d1.yaml": "include: fleet.yaml", "base.yaml": "include: d0.yaml\n" + BASE})
    assert len(fleet().hosts) == 4


@pytest.mark.parametrize("text", ["a: {b: hunter2[x]hunter2}", "a: *hunter2", "hunter2", "- hunter2"])
def test_no_error_quotes_a_file_that_is_no_fleets(text: str) -> None:
    [*_, last] = faults(base=text)
    assert last.startswith("infra/base.yaml:1:")
    assert "hunter2" not in last
