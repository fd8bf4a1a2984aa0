"""The forms of `create` without a driver: what is typed says which driver, which host and which name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from machinectl.cli.parsing.create_forms import create_in_full
from machinectl.driver import DriverError, Option, UsageError, installed_drivers
from machinectl.driver.installed_drivers import Installed
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

URL = "tcp://192.168.0.29:2376"
SERVER = ["--driver=generic", "--ip-address=ops@192.168.0.29"]
ENGINE = ["--driver=none", f"--url={URL}"]


class Cloud:
    """Somebody else's driver: it makes its hosts, and its options begin with its name."""

    own: ClassVar[list[Option]] = [
        Option("acme-token", "A token.", secret=True),
        Option("acme-size", "A size."),
        Option("acme-spot", "Cheap.", default=False),
    ]

    def options(self) -> list[Option]:
        return self.own


class Broken:
    def options(self) -> list[Option]:
        raise ValueError("broken")


@pytest.fixture(autouse=True)
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install two drivers of somebody else's beside our own."""

    def found() -> Iterator[Installed]:
        yield Installed("acme", "a package", "1", "acme:Cloud", Cloud)
        yield Installed("bad", "a package", "1", "bad:Broken", Broken)

    monkeypatch.setattr(installed_drivers, "FINDERS", [*installed_drivers.FINDERS, found])
    monkeypatch.setattr(installed_drivers, "in_use", {})
    monkeypatch.delenv("MACHINE_DRIVER", raising=False)


def full(*words: str) -> list[str]:
    verb, *rest = create_in_full(["create", *words])
    assert verb == "create"
    return [word for word in rest if word != "--"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (("web1", "--ip-address", "X"), ["--driver=generic", "web1", "--ip-address=X"]),
        (
            ("-i", "key", "-p=2222", "-u", "ops", "192.168.0.29", "web1"),
            [
                "--driver=generic",
                "--ip-address=192.168.0.29",
                "--ssh-key=key",
                "--ssh-port=2222",
                "--ssh-user=ops",
                "web1",
            ],
        ),
        (
            ("--generic-ssh-key", "key", "--generic-ip-address=X", "web1"),
            ["--driver=generic", "--ssh-key=key", "--ip-address=X", "web1"],
        ),
        (("-url=" + URL, "web1"), [*ENGINE, "web1"]),
        (("--url", URL, "web1"), [*ENGINE, "web1"]),
        (("ops@192.168.0.29", "web1"), [*SERVER, "web1"]),
        (("web1", "ops@192.168.0.29"), [*SERVER, "web1"]),
        (("192.168.0.29", "web1"), ["--driver=generic", "--ip-address=192.168.0.29", "web1"]),
        (("web1", "192.168.0.29"), ["--driver=generic", "--ip-address=192.168.0.29", "web1"]),
        (("alias", "web1"), ["--driver=generic", "--ip-address=alias", "web1"]),
        (("web1", "web1"), ["--driver=generic", "--ip-address=web1", "web1"]),
        ((URL, "web1"), [*ENGINE, "web1"]),
        (("ssh://ops@orion", "web1"), ["--driver=none", "--url=ssh://ops@orion", "web1"]),
        (("unix:///run/x.sock", "web1"), ["--driver=none", "--url=unix:///run/x.sock", "web1"]),
        (("--dry-run", "ops@192.168.0.29", "--", "web1"), [*SERVER, "--dry-run", "web1"]),
    ],
)
def test_the_driver_follows_from_an_option_or_from_the_host(typed: tuple[str, ...], found: list[str]) -> None:
    assert full(*typed) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (("--driver=", "--ip-address", "X", "web1"), ["--driver=generic", "--ip-address=X", "web1"]),
        (("-driver=", "-d=", "192.168.0.29", "web1"), [SERVER[0], "--ip-address=192.168.0.29", "web1"]),
    ],
)
def test_an_empty_driver_as_of_an_unset_variable_is_none(typed: tuple[str, ...], found: list[str]) -> None:
    assert full(*typed) == found


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("ops@orion", "orion"),
        ("ops@orion.lan", "orion.lan"),
        ("ops@orion:2222", "orion"),
        ("tcp://orion.lan:2376", "orion.lan"),
        ("tcp://orion/", "orion"),
        ("ssh://ops@orion:22", "orion"),
    ],
)
def test_the_machine_is_called_as_its_host_by_default(location: str, name: str) -> None:
    assert full(location)[-1] == name


@pytest.mark.parametrize(
    "location",
    ["ops@192.168.0.29", "192.168.0.29", "ops@[fd00::1]:22", "fd00::1", URL, "unix:///run/x.sock", "ops@my_host"],
)
def test_a_host_that_gives_no_name_is_repeated_with_a_name_at_the_end(location: str) -> None:
    with pytest.raises(UsageError, match="No machine name specified") as raised:
        full("--dry-run", location)
    assert raised.value.hint.startswith("Put it at the end: machinectl create --dry-run ")
    assert raised.value.hint.endswith(" <NAME>")
    assert location in raised.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        ("--acme-token-file", "t", "web1"),
        ("--acme-size=s", "web1"),
        ("-acme-spot", "web1"),
        ("--acme-zise", "s", "web1"),
    ],
)
def test_somebody_elses_options_name_their_driver_and_so_does_a_mistyped_one(typed: tuple[str, ...]) -> None:
    assert full(*typed)[0] == "--driver=acme"


def test_an_option_of_another_driver_is_none_of_the_drivers() -> None:
    refused = machinectl("create", "--url", URL, "--acme-size", "s", "web1")
    assert (refused.returncode, "No such option: --" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "typed",
    [
        ("-d", "none", "--url", URL, "10.0.0.1"),
        ("-d", "none", "--url", URL, "web1", "extra"),
        ("-d", "none", "10.0.0.1"),
        ("-d", "acme", "a", "b"),
        ("-d", "acme", "a/b"),
        ("-d", "generic", "--ip-address", "X", "a/b"),
        ("web1",),
        ("a", "b", "c"),
        (),
    ],
)
def test_docker_machines_lines_stay_as_they_are(typed: tuple[str, ...]) -> None:
    assert [word for word in full(*typed) if not word.startswith("-")] == [
        word for word in typed if word not in {"-d", "none", "acme", "generic", "--url", URL, "--ip-address", "X"}
    ]


def test_a_named_driver_takes_its_own_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert full("-d", "generic", "ops@192.168.0.29", "web1") == [SERVER[1], SERVER[0], "web1"]
    with pytest.raises(UsageError, match="Driver generic does not take 'tcp://"):
        full("-d", "generic", URL, "web1")
    monkeypatch.setenv("MACHINE_DRIVER", "none")
    with pytest.raises(UsageError, match="Driver none does not take 'ops@192"):
        full("ops@192.168.0.29", "web1")
    assert full(URL, "web1") == [ENGINE[1], "web1"]


def test_an_address_in_the_environment_leaves_the_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENERIC_IP_ADDRESS", "192.168.0.30")
    assert full("-d", "generic", "10.0.0.1") == ["--driver=generic", "10.0.0.1"]
    assert full("ops@192.168.0.29", "web1") == [*SERVER, "web1"]


def test_hosts_of_several_drivers_need_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cloud, "own", [Option("acme-at", "Where.", locates=lambda text: {"acme-at": text})])
    with pytest.raises(UsageError, match="Several drivers take 'ops@orion': acme, generic"):
        full("ops@orion")


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        (("web1",), 2, ['Error: No host specified for "web1"', "create <USER>@<HOST> web1", "create web1 web1"]),
        (("foo/bar",), 2, ["Error: 'foo/bar' is neither a host nor a name", "<USER>@<HOST>", "tcp://<HOST>"]),
        (("http://orion",), 2, ["docker knows tcp, unix and ssh, not 'http'"]),
        (("ops:secret@orion",), 2, ["Error: An address holds no password"]),
        (("orion:port",), 2, ["'orion:port' is not [USER@]HOST[:PORT]"]),
        (("web1", "--bogus", "1.2.3.4"), 2, ["No such option: --bogus"]),
        (
            ("--ip-address", "1.2.3.4"),
            2,
            ["Error: No machine name specified", "machinectl create --ip-address=1.2.3.4 <NAME>"],
        ),
        (
            ("-d", "generic", "a"),
            2,
            ["Driver generic needs --ip-address", "create -d generic <ADDRESS> a\n"],
        ),
        (("--ssh-user", "ops", "a"), 2, ["needs --ip-address", "create -d generic <ADDRESS> a\n"]),
        (("-d", "none", "x_y"), 2, ["Error: Driver none does not take 'x_y'", "create -d none <URL> <NAME>"]),
        (("-d", "none", "ops@a"), 2, ["Error: Driver none does not take 'ops@a'", "omit --driver"]),
        (("--ip-address",), 2, ["'--ip-address' requires an argument"]),
        (("ops@orion", "--label"), 2, ["'--label' requires an argument"]),
        (("a", "b", "c"), 2, ["Invalid command line. Found extra arguments [b c]"]),
        (
            ("ops@localhost", "--ssh-user", "root"),
            2,
            ["Error: ops@localhost and --ssh-user root contradict", "Omit --ssh-user"],
        ),
    ],
)
def test_a_wrong_form_says_what_to_type(store: Store, typed: tuple[str, ...], code: int, told: list[str]) -> None:
    done = machinectl("create", *typed, store=store.root)
    assert done.returncode == code
    assert all(piece in done.stderr for piece in told)
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_an_engine_is_registered_without_naming_a_driver(store: Store) -> None:
    for words in (["tcp://orion.lan:2375"], [URL, "web1"], ["--url", URL, "web2"]):
        assert machinectl("create", *words, store=store.root).returncode == 0
    found = [(store.read(name).driver, store.read(name).url) for name in ("orion.lan", "web1", "web2")]
    assert found == [("none", "tcp://orion.lan:2375"), ("none", URL), ("none", URL)]


@pytest.mark.parametrize("end", [KeyError("x"), SystemExit(0)])
def test_a_driver_that_fails_to_read_a_location_is_named_and_skipped(
    end: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def locates(_: str) -> dict[str, str]:
        raise end

    monkeypatch.setattr(Cloud, "own", [Option("acme-host", "Which.", locates=locates)])
    monkeypatch.setattr(installed_drivers, "in_use", {})
    assert full(URL, "web1") == [*ENGINE, "web1"]
    said = capfd.readouterr().err
    assert said == f'Warning: Driver "acme" fails in its check of --acme-host: {type(end).__name__}: skipped\n'
    with pytest.raises(DriverError, match='Driver "acme" fails'):
        full("-d", "acme", URL, "web1")
