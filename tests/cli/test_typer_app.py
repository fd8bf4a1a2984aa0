"""What a user types, and what is printed: flags, lines and exit codes, in processes of their own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import SCHEMA, Machine, Phase
from machinectl.machines.store import Store
from machinectl.provision.host_changes import FileCreated
from tests.support import program
from tests.support.in_process import machinectl
from tests.support.program import COMMAND, started
from tests.support.registered import added, register

if TYPE_CHECKING:
    from tests.support.sshd import Sshd

URL = "tcp://127.0.0.1:1"
CONNECT = "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run:"


@pytest.fixture
def orionbox(store: Store) -> Store:
    """A store with one machine, whose engine nobody has started."""
    made = machinectl("create", "--driver", "none", "--url", URL, "--label", "rack=7", "orionbox", store=store.root)
    assert made.returncode == 0, made.stderr
    return store


def lines(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize("options", [("--url", "tcp://127.0.0.1:2375"), ("--url", "tcp://127.0.0.1:4243", "--no-tls")])
def test_a_machine_without_tls_is_made_with_one_warning(store: Store, options: tuple[str, ...]) -> None:
    made = machinectl("create", "-d", "none", *options, "plain", store=store.root)
    assert made.returncode == 0
    assert len(lines(made.stderr)) == 1
    assert "not protected by TLS" in made.stderr
    assert store.read("plain").tls is False


def test_create_ends_with_a_command_that_works_as_it_stands(tmp_path: Path) -> None:
    made = machinectl("-s", tmp_path / "my store", "create", "-d", "none", "--url", "unix:///x.sock", "box")
    command = made.stdout.rstrip("\n").removeprefix(f"{CONNECT} machinectl ")
    assert "DOCKER_HOST" in machinectl(*shlex.split(command)).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "-d", "none", "--url", URL), 2, "Error: No machine name specified"),
        (
            ("create", "-d", "none", "--url", URL, "a", "extra"),
            2,
            "Found extra arguments [extra]",
        ),
        (("create", "-d", "none", "a"), 2, "Error: Driver none needs --url"),
        (("create", "a"), 2, 'Error: No host specified for "a"'),
        (("create", "-d", "bogus", "a"), 1, 'Driver "bogus" not found.'),
        (
            ("create", "-d", "none", "--url", URL, "a/b"),
            1,
            "Error creating machine: Invalid hostname specified. Allowed ",
        ),
        (("create", "-d", "none", "--url", URL, "orionbox"), 1, 'Docker machine "orionbox" already exists'),
        (("create", "-d", "none", "--url", URL, "--label", "=x", "a"), 2, "has no key"),
        (
            ("create", "-d", "none", "--url", URL, "--label", "a=\x1b[2J", "a"),
            2,
            "--label 'a' has a character that cannot be printed",
        ),
        (("set", "--engine-opt", "a=b\nc", "orionbox"), 2, "--engine-opt 'a' has a character that cannot be printed"),
        (("create", "-d", "none", "--url", URL, "--tls-ca-cert", "x", "a"), 2, "Give all of --tls-ca-cert"),
        (("create", "-d", "none", "--url", URL, "--tls-dir", "/nonexistent", "a"), 1, "/nonexistent cannot be read"),
        (("url",), 1, 'Error: No machine name(s) specified and no "default" machine exists'),
        (("env",), 1, 'Error: No machine name(s) specified and no "default" machine exists'),
        (("url", "ghost"), 1, 'Docker machine "ghost" does not exist'),
        (("url", "ORIONBOX"), 1, "Did you mean: machinectl url orionbox"),
        (("url", "orionbox\n"), 1, "does not exist"),
        (("rm",), 2, "Error: Expected to get one or more machine names as arguments"),
        (("rm", "-y", "ghost"), 1, 'Error removing host "ghost": Docker machine "ghost" does not exist.'),
        (("rename", "orionbox", "a b"), 1, "Invalid hostname specified"),
        (("set", "orionbox"), 2, "Nothing to set"),
        (("set", "--url", "tcp://a:0", "orionbox"), 2, "is not a port"),
        (("create",), 2, "Error: No machine name specified"),
        (("create", "-d", "none", "--driver", "bogus", "--url", URL, "a"), 1, 'Driver "bogus" not found'),
        (("active",), 1, "No active host found"),
        (("url", "orionbx"), 1, "Did you mean: machinectl url orionbox"),
        (("ls", "--filter", "state=runing"), 2, "There is no state 'runing'"),
        (("certs", "import", "certs-dir", "orionbox"), 1, 'Docker machine "certs-dir" does not exist'),
        (("env", "-u", "orionbox"), 1, "Error: Expected no machine name when the -u flag is present"),
        (("ls", "-q", "--json"), 2, "exclude each other"),
        (("ls", "-t", "soon"), 2, "--timeout takes seconds from 0 to 86400, not 'soon'"),
        (("config", "orionbox", "other"), 2, "Error: Expected one machine name as an argument"),
        (("api", "orionbox", "GET", "/x", "y"), 2, "Found extra arguments [y]"),
        (("version", "orionbox"), 1, "There are no certificates in "),
        (("--bogus", "ls"), 2, "No such option: --bogus"),
        (("bogus",), 2, "No such command 'bogus'"),
    ],
)
def test_what_a_user_does_wrong_is_one_clear_error(
    orionbox: Store, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = machinectl(*arguments, store=orionbox.root)
    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(lines(result.stderr)) <= 3
    assert orionbox.names() == ["orionbox"]


def test_a_machine_called_default_is_meant_where_none_is_named(store: Store) -> None:
    machinectl("create", "-d", "none", "--url", URL, "--no-tls", "default", store=store.root)
    assert machinectl("url", store=store.root).stdout == f"{URL}\n"
    assert machinectl("ip", store=store.root).stdout == "127.0.0.1\n"
    assert machinectl("status", store=store.root).stdout == "Stopped\n"


def test_config_prints_dockers_flags(orionbox: Store) -> None:
    directory = orionbox.directory("orionbox")
    assert lines(machinectl("config", "orionbox", store=orionbox.root).stdout) == [
        "--tlsverify",
        f"--tlscacert={directory}/ca.pem",
        f"--tlscert={directory}/cert.pem",
        f"--tlskey={directory}/key.pem",
        f"-H={URL}",
    ]


def test_active_is_the_machine_that_the_shell_points_at(orionbox: Store) -> None:
    machinectl("create", "-d", "none", "--url", URL, "twin", store=orionbox.root)
    there = {"DOCKER_HOST": URL}
    assert machinectl("active", store=orionbox.root, environment=there).stdout == "orionbox\n"
    both = {**there, "DOCKER_MACHINE_NAME": "twin"}
    assert machinectl("active", store=orionbox.root, environment=both).stdout == "twin\n"
    listed = machinectl("ls", "--format", "{{.Name}} {{.Active}}", store=orionbox.root, environment=both).stdout
    assert lines(listed) == ["orionbox -", "twin *"]


def test_ls_has_docker_machines_columns_at_least_three_blanks_apart(orionbox: Store) -> None:
    machinectl("create", "-d", "none", "--url", URL, "--no-tls", "plain", store=orionbox.root)
    result = machinectl("ls", store=orionbox.root)
    heading, _, row = lines(result.stdout)
    assert heading.split() == ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS"]
    assert heading.startswith("NAME       ACTIVE   DRIVER   STATE     URL")
    assert row.split()[:6] == ["plain", "-", "none", "Stopped", URL, "Unknown"]
    assert "\x1b" not in result.stdout


def test_ls_leaves_out_a_row_that_lacks_what_the_template_reads_and_says_so(orionbox: Store) -> None:
    for name in ("bare", "plain"):
        machinectl("create", "-d", "none", "--url", URL, "--no-tls", name, store=orionbox.root)
    template = "{{.Name}} {{index .EngineOptions.Labels 0}}"
    listed = machinectl("ls", "-f", template, store=orionbox.root)
    assert (listed.returncode, listed.stdout) == (1, "orionbox rack=7\n")
    assert listed.stderr.startswith(
        "Error: The template cannot be used: the function index does not take a list, a number (bare, plain)\n"
    )
    tested = "{{.Name}} {{if .EngineOptions.Labels}}{{index .EngineOptions.Labels 0}}{{end}}"
    everyone = machinectl("ls", "-f", tested, store=orionbox.root)
    assert (everyone.returncode, everyone.stdout) == (0, "bare \norionbox rack=7\nplain \n")


def test_ls_has_headings_for_what_a_template_takes_out_of_a_field(orionbox: Store) -> None:
    for template, expected in [
        ("table {{.Labels.rack}}", "RACK\n7\n"),
        ("table {{.EngineOptions.Labels}}", "LABELS\n[rack=7]\n"),
        ("table {{range .EngineOptions.Labels}}{{.}}{{end}}", "LABELS\nrack=7\n"),
        ("table {{.SwarmOptions.Master}}", "MASTER\nfalse\n"),
    ]:
        assert machinectl("ls", "-f", template, store=orionbox.root).stdout == expected


def test_ls_lists_the_machines_named_and_exits_0_for_one_that_is_not_there(orionbox: Store) -> None:
    for name in ("plain", "web"):
        machinectl("create", "-d", "none", "--url", URL, "--no-tls", name, store=orionbox.root)
    assert machinectl("ls", "web", "-f", "{{.Name}}", store=orionbox.root).stdout == "web\n"
    assert machinectl("ls", "-q", "web", "orionbox", store=orionbox.root).stdout == "orionbox\nweb\n"
    assert machinectl("list", "web", "-q", "--filter", "name=o", store=orionbox.root).stdout == ""
    ghost = machinectl("ls", "-q", "ghost", store=orionbox.root)
    assert (ghost.returncode, ghost.stdout) == (0, "")
    assert ghost.stderr == 'Docker machine "ghost" does not exist\n  List the machines: machinectl ls\n'
    both = machinectl("ls", "-l", "rack=7", "web", store=orionbox.root)
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)


def test_a_machine_with_a_broken_record_is_listed_with_its_error_and_the_others_still_list(orionbox: Store) -> None:
    machinectl("set", "--no-tls", "orionbox", store=orionbox.root)
    os.makedirs(orionbox.directory("broken"))
    Path(orionbox.directory("broken"), "machine.json").write_text('{"schema": 1, "dri')
    result = machinectl("ls", "--format", "{{.Name}} {{.State}} {{.Error}}", store=orionbox.root)
    assert result.returncode == 0
    assert lines(result.stdout)[0].startswith('broken Error The machine.json of "broken" is not JSON')
    assert lines(result.stdout)[1].startswith("orionbox Stopped")
    assert machinectl("rm", "-y", "broken", store=orionbox.root).returncode == 1
    assert machinectl("rm", "-f", "broken", store=orionbox.root).returncode == 0
    assert orionbox.names() == ["orionbox"]


def test_what_docker_machine_made_is_listed_and_never_touched(orionbox: Store) -> None:
    os.makedirs(orionbox.directory("old"))
    Path(orionbox.directory("old"), "config.json").write_text("{}")
    assert "docker-machine" in machinectl("ls", store=orionbox.root).stdout
    assert machinectl("rm", "-f", "old", store=orionbox.root).returncode == 1
    assert os.listdir(orionbox.directory("old")) == ["config.json"]


def test_a_record_of_a_newer_version_is_never_rewritten(orionbox: Store) -> None:
    path = Path(orionbox.directory("orionbox"), "machine.json")
    newer = json.dumps({**json.loads(path.read_text()), "schema": SCHEMA + 1})
    path.write_text(newer)
    result = machinectl("set", "--label", "a=b", "orionbox", store=orionbox.root)
    assert result.returncode == 1
    assert "newer machinectl" in result.stderr
    assert path.read_text() == newer


def test_rm_asks_and_takes_the_answer_from_a_pipe(orionbox: Store) -> None:
    for answer in ("n\n", "maybe\n", "\n"):
        declined = machinectl("rm", "orionbox", store=orionbox.root, stdin=answer)
        assert (declined.returncode, declined.stdout) == (0, "")
        assert declined.stderr.endswith("Are you sure? (y/n): Nothing was removed\n")
    assert orionbox.names() == ["orionbox"]
    removed = machinectl("rm", "orionbox", store=orionbox.root, stdin="y\n")
    assert (removed.returncode, removed.stdout) == (0, "Successfully removed orionbox\n")
    assert orionbox.names() == []


@pytest.mark.parametrize("verb", ["rm", "regenerate-certs"])
def test_a_question_that_nobody_answers_is_no_silent_no(store: Store, sshd: Sshd, verb: str) -> None:
    register(store, "orionbox", sshd)
    told = machinectl(verb, "orionbox", store=store.root)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.endswith(
        f"\nError: No answer was given\n  To do it without being asked: machinectl {verb} -y orionbox\n"
    )
    assert store.names() == ["orionbox"]


@pytest.mark.parametrize(
    "verb",
    [
        ("rm", "--purge"),
        ("rm", "--forget", "--purge-engine", "--restart-swarm"),
        ("regenerate-certs", "--client-certs", "--tls-san", "web.lan"),
    ],
)
def test_the_command_that_does_not_ask_does_what_was_asked_for(store: Store, sshd: Sshd, verb: tuple[str, ...]) -> None:
    register(store, "orionbox", sshd)
    told = machinectl(*verb, "orionbox", store=store.root)
    unasked = " ".join(["machinectl", verb[0], "-y", *verb[1:], "orionbox"])
    assert told.stderr.endswith(f"To do it without being asked: {unasked}\n")


@pytest.mark.parametrize("verb", ["rm", "regenerate-certs"])
def test_nobody_is_asked_about_a_machine_that_is_not_there(store: Store, sshd: Sshd, verb: str) -> None:
    register(store, "orionbox", sshd)
    told = machinectl(verb, "ghost", store=store.root)
    assert told.returncode == 1
    assert "does not exist" in told.stderr
    assert "Are you sure" not in told.stderr
    mixed = machinectl(verb, "ghost", "orionbox", store=store.root, stdin="n\n")
    assert (mixed.returncode, "ghost" in mixed.stderr) == (0, False)


def test_rm_goes_on_after_a_name_that_does_not_exist(orionbox: Store) -> None:
    result = machinectl("rm", "-y", "ghost", "orionbox", store=orionbox.root)
    assert (result.returncode, result.stdout) == (1, "Successfully removed orionbox\n")
    forced = machinectl("rm", "-f", "ghost", store=orionbox.root)
    assert forced.returncode == 0


def test_set_changes_what_it_is_told_and_nothing_else(orionbox: Store) -> None:
    result = machinectl(
        "set", "--url", "tcp://127.0.0.2", "--label", "a=b=c", "--unlabel", "rack", "orionbox", store=orionbox.root
    )
    assert result.returncode == 0, result.stderr
    machine = orionbox.read("orionbox")
    assert (machine.url, machine.tls, machine.labels) == ("tcp://127.0.0.2:2376", True, {"a": "b=c"})
    assert machinectl("inspect", "-f", "{{.Driver.URL}}", "orionbox", store=orionbox.root).stdout == (
        "tcp://127.0.0.2:2376\n"
    )


def test_set_keeps_what_was_said_of_tls_and_follows_the_port_otherwise(orionbox: Store) -> None:
    machinectl("create", "-d", "none", "--url", "tcp://127.0.0.1:4243", "--no-tls", "said", store=orionbox.root)
    for name, url, tls in (
        ("said", "tcp://127.0.0.2:4243", False),
        ("orionbox", "tcp://127.0.0.2:2375", False),
        ("orionbox", "tcp://127.0.0.2:2376", True),
        ("orionbox", "unix:///x.sock", False),
    ):
        machinectl("set", "--url", url, name, store=orionbox.root)
        assert orionbox.read(name).tls is tls
    refused = machinectl("set", "--tls", "orionbox", store=orionbox.root)
    assert refused.returncode == 2


def test_rename_keeps_everything_but_the_name(orionbox: Store) -> None:
    Path(orionbox.directory("orionbox"), "key.pem").write_text("x")
    before = orionbox.read("orionbox").dump()
    assert machinectl("rename", "orionbox", "saturn", store=orionbox.root).returncode == 0
    assert orionbox.read("saturn").dump() == before
    assert Path(orionbox.directory("saturn"), "key.pem").read_text() == "x"
    assert orionbox.names() == ["saturn"]
    taken = machinectl("rename", "saturn", "saturn", store=orionbox.root)
    assert taken.returncode == 0


def test_swarm_flags_of_old_scripts_are_taken_with_a_warning(store: Store) -> None:
    made = machinectl(
        "create",
        "-d",
        "none",
        "--url",
        "unix:///x",
        "--swarm",
        "--swarm-discovery",
        "token://1",
        "box",
        store=store.root,
    )
    assert made.returncode == 0
    assert "no longer exists" in made.stderr


def test_certificates_named_before_the_verb_are_used_as_docker_machines_scripts_do(
    store: Store, tmp_path: Path
) -> None:
    certs = tmp_path / "certs"
    assert machinectl("certs", "create", "--out", certs, "--san", "127.0.0.1").returncode == 0
    given = (
        "--tls-ca-cert",
        certs / "ca.pem",
        "--tls-client-cert",
        certs / "cert.pem",
        "--tls-client-key",
        certs / "key.pem",
    )
    before = machinectl(*given, "create", "-d", "none", "--url", URL, "before", store=store.root)
    after = machinectl("create", *given, "-d", "none", "--url", URL, "after", store=store.root)
    assert (before.returncode, after.returncode) == (0, 0)
    for name in ("before", "after"):
        assert Path(store.directory(name), "key.pem").read_bytes() == (certs / "key.pem").read_bytes()


def test_no_tls_and_certificates_exclude_each_other(store: Store, tmp_path: Path) -> None:
    machinectl("certs", "create", "--out", tmp_path / "certs", "--san", "127.0.0.1")
    for url, *options in ((URL, "--no-tls"), ("unix:///x",)):
        result = machinectl(
            "create", "-d", "none", "--url", url, "--tls-dir", tmp_path / "certs", *options, "box", store=store.root
        )
        assert result.returncode == 2
        assert store.names() == []


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = machinectl("create", "-d", "none", "--url", URL, "box", store=tmp_path / "file")
    assert result.returncode == 1
    assert len(lines(result.stderr)) == 2
    assert "--storage-path" in result.stderr


def test_version_tells_this_program_from_systemds() -> None:
    for arguments in (("version",), ("--version",), ("-v",)):
        result = machinectl(*arguments)
        assert result.returncode == 0
        assert result.stdout.startswith("machinectl version ")
        assert "systemd" not in result.stdout


def test_a_driver_is_looked_for_only_where_it_is_named(store: Store) -> None:
    options = ("--label", "-d=", "--tls-san=-dx")
    made = machinectl("-Ds", store.root, "create", "-d", "none", "--url", "unix:///x", *options, "box")
    assert made.returncode == 0, made.stderr
    assert store.read("box").driver == "none"
    assert store.read("box").labels == {"-d": ""}


def test_suggested_commands_name_the_store_that_was_named(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "two words"
    for arguments in (("url", "ghost"), ("status", "ghost")):
        told = machinectl("-s", root, *arguments)
        assert f"machinectl -s '{root}' create " in told.stderr
    made = machinectl("-s", root, "create", "-d", "none", "--url", URL, "box")
    assert f"machinectl -s '{root}' certs import box <DIR>" in made.stderr
    assert "machinectl create " in machinectl("url", "ghost", store=store.root).stderr


@pytest.mark.parametrize("verb", ["env", "config", "url", "ip", "status", "version", "api", "set"])
def test_a_half_made_machine_is_not_used(store: Store, verb: str) -> None:
    machine = Machine("young", "none")
    machine.phase = Phase.CREATING
    added(store, machine)
    more = {"api": ("/info",), "set": ("--url", URL)}.get(verb, ())
    result = machinectl(verb, "young", *more, store=store.root)
    assert (result.returncode, result.stdout) == (1, "")
    assert 'Machine "young" is incomplete' in result.stderr
    assert "interrupted" in machinectl("ls", store=store.root).stdout


def test_set_changes_what_is_asked_of_an_engine_and_nothing_where_it_is_wrong(store: Store) -> None:
    machine = Machine("young", "generic")
    machine.phase = Phase.PROVISIONING
    machine.engine = EngineOptions(options=("mtu=x", "debug"), env=("A=b",), bind="192.0.2.1")
    machine.changes = [FileCreated("/etc/docker/daemon.json")]
    added(store, machine)

    def set_(*words: str) -> subprocess.CompletedProcess[str]:
        return machinectl("set", "young", *words, store=store.root, environment={"ENGINE_REGISTRY_MIRROR": "http://m"})

    told = set_("--engine-opt", "mtu=1400", "--engine-bind", "", "--engine-label", "rack=a")
    assert "machinectl provision young" in told.stderr
    assert "now: --engine-opt=mtu=1400 --engine-bind= --engine-label=rack=a" in told.stderr
    asked = EngineOptions(options=("mtu=1400",), env=("A=b",))
    assert (store.read("young").engine, store.read("young").pending) == (asked, "provision")
    assert store.read("young").labels == {"rack": "a"}
    assert set_("--engine-insecure-registry", "r:5000").returncode == 0
    assert set_("--engine-env", "").returncode == 0
    assert store.read("young").engine == EngineOptions(options=("mtu=1400",), insecure_registries=("r:5000",))
    before = store.read("young").dump()
    assert set_("--engine-bind", "nowhere", "--engine-opt", "debug").returncode == 2
    twice = ("--engine-opt", "log-driver=local", "--engine-opt", "log-driver=journald")
    new = ("create", "-d", "generic", "--ip-address", "127.0.0.1", "new")
    creating = machinectl(*new, *twice, store=store.root)
    for refused in (set_(*twice), creating):
        assert refused.returncode == 2
        assert "--engine-opt log-driver is given twice: 'local' and 'journald'" in refused.stderr
    assert not store.exists("new")
    assert store.read("young").dump() == before


def test_set_takes_a_proxys_password_from_a_file_and_what_is_typed_wins(store: Store, tmp_path: Path) -> None:
    added(store, Machine("orion", "generic", url="tcp://192.0.2.29:2376"))
    file = tmp_path / "proxies"
    file.write_text("HTTPS_PROXY=http://joe:secret@proxy:3128\nNO_PROXY=a\n")
    file.chmod(0o644)
    done = machinectl(*("set", "--engine-env-file", str(file), "--engine-env", "NO_PROXY=b", "orion"), store=store.root)
    assert done.returncode == 0
    assert f"chmod 600 {file}" in done.stderr
    assert store.read("orion").engine.env == ("HTTPS_PROXY=http://joe:secret@proxy:3128", "NO_PROXY=b")


def test_ls_says_why_a_machine_is_half_made_and_how_to_go_on(store: Store) -> None:
    machine = Machine("young", "generic")
    machine.phase = Phase.PROVISIONING
    machine.failure = {"when": "2026-11-25T12:00:00Z", "cause": "The host's disk is full: /etc has 1 KB left.\nmore"}
    added(store, machine)
    listed = machinectl("ls", store=store.root).stdout
    assert "Incomplete: The host's disk is full: /etc has 1 KB left. Continue: machinectl provision young" in listed
    assert "incomplete: The host's disk is full" in machinectl("env", "young", store=store.root).stderr


def test_what_failed_last_is_on_record_with_its_time_and_nothing_else_is_changed(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    before = json.loads(store.read("orion").dump())
    failed = machinectl("regenerate-certs", "-f", "orion", store=store.root)
    assert failed.returncode == 1
    after = json.loads(store.read("orion").dump())
    assert after.pop("failure")["cause"] in failed.stderr
    del before["failure"]
    assert after == before


def test_config_warns_where_its_flags_would_not_do_what_they_say(orionbox: Store, tmp_path: Path) -> None:
    machinectl("create", "-d", "none", "--url", "unix:///x", "local", store=orionbox.root)
    here = {"DOCKER_TLS_VERIFY": "1"}
    assert "env -u DOCKER_TLS_VERIFY" in machinectl("config", "local", store=orionbox.root, environment=here).stderr
    assert "env -u" not in machinectl("config", "orionbox", store=orionbox.root, environment=here).stderr
    for name in ("two words", "what?", "a[bc]", "\tled"):
        apart = tmp_path / name
        machinectl("-s", apart, "create", "-d", "none", "--url", URL, "box")
        assert "eval $(machinectl -s" in machinectl("-s", apart, "config", "box").stderr


def test_certs_ls_fails_for_a_machine_that_should_have_certificates_and_has_none(orionbox: Store) -> None:
    listed = machinectl("certs", "ls", "--fail-under", "30", store=orionbox.root)
    assert listed.returncode == 1
    assert "there are no certificates" in listed.stdout


@pytest.mark.parametrize(
    "arguments", [("url", "orionbox"), ("inspect", "orionbox"), ("ls",), ("version",)], ids=" ".join
)
def test_output_that_cannot_be_written_is_said_and_no_bug(orionbox: Store, arguments: tuple[str, ...]) -> None:
    with (
        open("/dev/full", "wb") as full,
        started(*arguments, store=orionbox.root, stdout=full, stderr=subprocess.PIPE) as process,
    ):
        assert b"Cannot write the output: No space left on device" in process.communicate()[1]
    assert process.returncode == 1


def test_without_its_dependencies_it_says_what_to_install(store: Store, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')\n")
    environment = {**os.environ, "MACHINE_STORAGE_PATH": store.root, "PYTHONPATH": str(tmp_path)}
    for words in (("ls", "--bogus"), ("rm", "--bogus")):
        done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines()[0] == (
            "Error: The Python package typer is missing: this is not a whole installation"
        )
        assert "pipx install" in done.stderr


def test_closed_streams_are_no_bug(orionbox: Store) -> None:
    for redirection in (">&-", "<&-", "2>&-"):
        command = ["sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "-s", orionbox.root, "rm", "orionbox"]
        process = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        # Nobody answers.
        assert process.returncode == 1
        assert "bug in machinectl" not in process.stderr


def test_a_closed_stdout_ends_what_prints_with_an_error_and_no_work(orionbox: Store) -> None:
    for words, status, said in (
        (["ls"], 1, "Error: Cannot write the output: Bad file descriptor\n"),
        (["rename", "orionbox", "vega"], 0, ""),
    ):
        command = ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "-s", orionbox.root, *words]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (process.returncode, process.stderr.startswith(said)) == (status, True)
    assert orionbox.names() == ["vega"]


def test_a_locale_that_lacks_a_character_is_no_bug(store: Store) -> None:
    machinectl("create", "-d", "none", "--url", "unix:///x", "--label", "où=là…", "box", store=store.root)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (("ls", "--format", "{{json .Labels}}"), ("inspect", "-f", "{{json .HostOptions}}", "box")):
        result = program.machinectl(*arguments, store=store.root, environment=plain)
        assert result.returncode == 0, result.stderr
        assert "là…" in result.stdout


def test_a_reader_that_leaves_early_is_no_error(orionbox: Store) -> None:
    process = subprocess.run(
        ["sh", "-c", '"$@" | true', "sh", *COMMAND, "-s", orionbox.root, "inspect", "orionbox"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""


def test_control_c_exits_130_without_a_traceback(orionbox: Store) -> None:
    process = started("rm", "orionbox", store=orionbox.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr
    while b"Are you sure" not in process.stderr.readline() + process.stderr.read(12):
        pass
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert orionbox.names() == ["orionbox"]


def test_a_bug_is_told_as_one_with_where_its_traceback_is(orionbox: Store, tmp_path: Path) -> None:
    code = """
import sys
from machinectl.verbs import env
env.config_flags = lambda *_, **__: 1 / 0
from machinectl.cli.typer_app import run_with_typer
sys.exit(run_with_typer(sys.argv[1:]))
"""
    command = [sys.executable, "-c", code, "-s", orionbox.root, "config", "orionbox"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 3
    assert "This is a bug in machinectl: ZeroDivisionError" in process.stderr
    assert "Traceback" not in process.stderr
    path = Path(process.stderr.partition("The traceback is in ")[2].partition(";")[0])
    assert path.is_relative_to(tmp_path)
    assert "ZeroDivisionError" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    for value, asked in (("", ["--debug"]), ("1", []), ("false", [])):
        environment = {**os.environ, "MACHINE_DEBUG": value}
        again = [*command[:3], *asked, *command[3:]]
        shown = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)
        assert shown.returncode == 3
        assert shown.stderr.startswith("Traceback") is (bool(asked) or value == "1")


def test_a_machine_removed_while_ls_runs_is_no_error(orionbox: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from machinectl.cli.tables.machine_rows import machine_rows

    monkeypatch.setattr(Store, "names", lambda _: ["ghost", "orionbox"])
    assert [row.machine.name for row in machine_rows(orionbox, {})] == ["orionbox"]


def test_set_changes_the_way_to_a_host_and_leaves_where_its_engine_is(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    register(store, "orion", sshd)
    before = store.read("orion")
    key = tmp_path / "other"
    key.write_bytes(b"another key")

    def set_(*words: str) -> subprocess.CompletedProcess[str]:
        return machinectl("set", *words, store=store.root)

    done = set_("--ssh-port", "2222", "orion", "--ssh-user", "ops", f"--ssh-key={key}")
    assert done.returncode == 0, done.stderr
    assert '"orion" now: --ssh-port=2222 --ssh-user=ops --ssh-key=' in done.stderr
    machine = store.read("orion")
    state = json.loads(machine.driver_state)
    assert (state["SSHPort"], state["SSHUser"], state["IPAddress"]) == (2222, "ops", sshd.host)
    assert (machine.url, machine.tls) == (before.url, before.tls)
    assert machine.options == {"generic-ssh-port": 2222, "generic-ssh-user": "ops", "generic-ssh-key": str(key)}
    assert Path(store.directory("orion"), "id_ssh").read_bytes() == b"another key"
    for words in (("orion", "--help"), ("--help", "orion")):
        assert "--ssh-port" in machinectl("set", *words, store=store.root).stdout
    for words, why in (
        (("--ssh-port", "99999"), "is not a port"),
        (("--engine-port", "2377"), "machinectl set --url tcp://"),
        (("--cloud-region", "eu"), "No such option"),
    ):
        refused = set_("orion", *words)
        assert refused.returncode != 0
        assert why in refused.stderr
    assert store.read("orion").dump() == machine.dump()


def test_a_set_that_is_refused_takes_no_key(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    register(store, "orion", sshd)
    key = tmp_path / "other"
    key.write_bytes(b"another key")
    before = Path(store.directory("orion"), "id_ssh").read_bytes()
    for wrong in (("--engine-env", "NOEQ"), ("--url", "unix:///x.sock"), ("--ssh-port", "99999")):
        assert machinectl("set", "--ssh-key", str(key), *wrong, "orion", store=store.root).returncode != 0
        assert Path(store.directory("orion"), "id_ssh").read_bytes() == before


def test_set_knows_its_machine_from_a_value_that_is_anothers_name(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    machinectl("create", "-d", "none", "--url", "unix:///x.sock", "rigel", store=store.root)
    for words in (("--ssh-user", "rigel", "orion"), ("orion", "--ssh-user", "rigel")):
        done = machinectl("set", *words, store=store.root)
        assert done.returncode == 0, done.stderr
        assert store.read("orion").options["generic-ssh-user"] == "rigel"


def test_set_moves_a_machine_that_is_reached_by_ssh_alone_with_its_way(store: Store) -> None:
    create = (
        "create",
        "-d",
        "generic",
        "--no-provision",
        "--ip-address",
        "127.0.0.1",
        "--ssh-port",
        "1",
    )
    assert machinectl(*create, "orion", store=store.root).returncode == 0
    machinectl("set", "--ssh-port", "2222", "--ssh-user", "ops", "orion", store=store.root)
    assert store.read("orion").url == "ssh://ops@127.0.0.1:2222"


def test_a_label_without_a_value_changes_none(orionbox: Store) -> None:
    machinectl("set", "--label", "role=web", "orionbox", store=orionbox.root)
    done = machinectl("set", "--label", "role", "orionbox", store=orionbox.root)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "Error: The label role has no value",
            "  Write --label role=<VALUE>; remove it: machinectl set --unlabel role orionbox",
        ],
    )
    assert orionbox.read("orionbox").labels["role"] == "web"
    assert machinectl("set", "orionbox", "--unlabel", "role", store=orionbox.root).returncode == 0


def test_a_wrong_option_of_a_group_leads_to_a_help_page_that_there_is() -> None:
    for words, page in ((("context", "--jsn", "nope"), "context"), (("context", "--jsn", "ls"), "context")):
        assert machinectl(*words).stderr == f"Error: No such option: --jsn\n  machinectl {page} --help\n"
