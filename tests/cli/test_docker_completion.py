"""Completion through docker's own: what may stand for the last word, from the one source of candidates."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.catalogue import GROUPS, VERBS
from machinectl.cli.parsing.completion import cobra_lines, verb_summaries
from machinectl.machines.holders import AccessHolder, put_holder
from machinectl.machines.record import Machine, Phase
from tests.support.archives import Made, saved
from tests.support.image_engines import unique_layer
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.docker_plugged import PluggedDocker
    from tests.support.image_engines import Engine

FILES, NOTHING_ELSE, DIRECTORIES = 0, 4, 16
NO_BLANK = 2


def offered(*words: str) -> tuple[list[str], int]:
    *lines, directive = cobra_lines(words).splitlines()
    return [line.partition("\t")[0] for line in lines], int(directive.removeprefix(":"))


@pytest.fixture
def machines(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MACHINE_STORAGE_PATH", store.root)
    for name in ("orionbox", "rigel"):
        added(store, Machine(name, "none", url="tcp://192.0.2.1:2376", tls=False))
    return store


def test_verbs_and_those_of_groups() -> None:
    assert offered("") == (list(verb_summaries()), NOTHING_ELSE)
    assert offered("reg") == (["regenerate-certs"], NOTHING_ELSE)
    assert offered("-D", "certs", "") == (list(verb_summaries("certs")), NOTHING_ELSE)
    assert offered("help", "cre") == (["create"], NOTHING_ELSE)
    assert offered("help", "ssh-o") == (["ssh-options"], NOTHING_ELSE)
    assert offered("help", "create", "") == ([], NOTHING_ELSE)
    assert offered("nonsense", "certs", "x") == offered("nonsense", "") == ([], NOTHING_ELSE)
    assert "list" not in verb_summaries()
    assert offered("socket", "r") == (["rm"], NOTHING_ELSE)


def test_labels_that_there_are_stand_for_a_selector_and_more_may_follow(machines: Store) -> None:
    with machines.writing("rigel") as held:
        held.machine.labels = {"role": "web", "rack": "", "bad one": "$(x)", "-x": "y"}
        held.write()
    assert offered("ls", "-l", "") == (["rack", "rack=", "role", "role=web"], NO_BLANK | NOTHING_ELSE)
    assert offered("rm", "--selector=role=w") == (["role=web"], NO_BLANK | NOTHING_ELSE)
    assert offered("ps", "--selector", "role=web,ra") == (["role=web,rack", "role=web,rack="], NO_BLANK | NOTHING_ELSE)


def test_images_and_containers_are_asked_for(
    store: Store, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_STORAGE_PATH", store.root)
    for name, engine in engines.items():
        added(store, Machine(name, "none", url=engine.endpoint.url, tls=False, phase=Phase.READY))
    engines["classic"].load(saved({"here/app:1": Made([unique_layer()])}))
    engines["containerd"].load(saved({"there:1": Made([unique_layer()])}))
    monkeypatch.setenv("DOCKER_HOST", engines["classic"].endpoint.url)
    assert "here/app:1" in offered("push", "")[0]
    assert offered("push", "here/app:") == (["here/app:1"], NOTHING_ELSE)
    assert offered("push", "--from", "containerd", "there") == (["there:1"], NOTHING_ELSE)
    assert offered("push", "here/app:1", "cl") == (["classic"], NOTHING_ELSE)
    engines["classic"].docker("create", "--name", "probed-web", "here/app:1", "x")
    try:
        assert offered("forward", "classic", "probed") == (["probed-web"], NOTHING_ELSE)
        assert offered("forward", "nosuch", "") == ([], NOTHING_ELSE)
    finally:
        engines["classic"].docker("rm", "probed-web")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert offered("push", "") == ([], NOTHING_ELSE)


def test_holders_of_access_are_those_of_the_store(machines: Store) -> None:
    for name, who in (("orionbox", "alice"), ("rigel", "alice"), ("rigel", "dozzle")):
        with machines.writing(name) as held:
            put_holder(held.machine, AccessHolder(who))
            held.write()
    assert offered("access", "end", "") == (["alice", "dozzle"], NOTHING_ELSE)
    assert offered("access", "end", "alice", "") == (["orionbox", "rigel"], NOTHING_ELSE)
    assert offered("access", "grant", "--for", "a") == (["alice"], NOTHING_ELSE)
    assert offered("access", "issue", "dozzle", "rigel", "--for=d") == (["dozzle"], NOTHING_ELSE)
    assert offered("-s", "/nowhere", "access", "end", "") == ([], NOTHING_ELSE)


@pytest.mark.usefixtures("machines")
def test_behind_two_dashes_or_the_names_stands_another_programs_command() -> None:
    assert offered("run", "orionbox", "--", "ec") == ([], FILES)
    assert offered("docker", "orionbox", "ps", "--") == ([], FILES)
    assert offered("docker", "orionbox", "") == (["rigel"], NOTHING_ELSE)


@pytest.mark.usefixtures("machines")
def test_machines_where_one_is_meant_each_once() -> None:
    assert offered("env", "") == (["orionbox", "rigel"], NOTHING_ELSE)
    assert offered("env", "ri") == (["rigel"], NOTHING_ELSE)
    assert offered("env", "orionbox", "") == ([], NOTHING_ELSE)
    assert offered("start", "orionbox", "") == (["rigel"], NOTHING_ELSE)
    assert offered("certs", "issue", "--client-name", "x", "") == (["orionbox", "rigel"], NOTHING_ELSE)
    assert offered("rm", "--", "-") == ([], NOTHING_ELSE)
    assert offered("ssh", "orionbox", "-") == ([], NOTHING_ELSE)


def test_machines_of_the_store_that_is_named(machines: Store) -> None:
    for named in (["-s", machines.root], [f"--storage-path={machines.root}"], ["-storage-path", machines.root]):
        assert offered(*named, "url", "o") == (["orionbox"], NOTHING_ELSE)
    assert offered("-s", "/nowhere", "url", "") == ([], NOTHING_ELSE)


@pytest.mark.usefixtures("machines")
def test_places_are_machines_with_a_colon_or_files() -> None:
    both = ["orionbox:", "rigel:"]
    assert offered("scp", "") == (both, NO_BLANK)
    assert offered("scp", "-r", "notes", "orionbox:", "ri") == (["rigel:"], NO_BLANK)
    assert offered("scp", "root@") == ([f"root@{each}" for each in both], NO_BLANK)
    assert offered("scp", "notes") == ([], FILES)
    assert offered("scp", "./a:b") == ([], FILES)
    for there in ("rigel:", "rigel:/etc", "root@rigel:www"):
        assert offered("scp", there) == ([], NOTHING_ELSE)
    assert offered("mount", "") == (both, NO_BLANK | NOTHING_ELSE)
    assert offered("mount", "notes") == offered("mount", "rigel:www") == ([], NOTHING_ELSE)
    assert offered("mount", "rigel:www", "") == ([], DIRECTORIES)


def test_flags_and_what_follows_them() -> None:
    assert offered("ls", "--fi") == (["--filter"], NOTHING_ELSE)
    assert {"-q", "--quiet"} <= set(offered("ls", "-")[0])
    assert offered("--st") == (["--storage-path"], NOTHING_ELSE)
    assert offered("env", "--shell", "f") == (["fish"], NOTHING_ELSE)
    assert offered("env", "--shell=f") == (["fish"], NOTHING_ELSE)
    assert offered("env", "-shell=f") == (["fish"], NOTHING_ELSE)
    assert offered("shell-init", "f") == (["fish"], NOTHING_ELSE)
    assert offered("ls", "--filter", "") == ([], NOTHING_ELSE)
    assert offered("certs", "create", "--out", "") == ([], DIRECTORIES)
    assert offered("certs", "create", "--ca-key", "") == ([], FILES)
    assert offered("ls", "--zzz", "--fi") == (["--filter"], NOTHING_ELSE)


def test_drivers_and_their_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"generic", "none"} <= set(offered("create", "-d", "")[0])
    assert offered("create", "-d", "generic", "--ip") == (["--ip-address"], NOTHING_ELSE)
    assert offered("create", "--ip-") == (["--ip-address"], NOTHING_ELSE)
    assert offered("create", "--ssh-key", "x", "--ur") == (["--url"], NOTHING_ELSE)
    assert offered("create", "--driver=none", "--ip-") == ([], NOTHING_ELSE)
    assert offered("create", "--driver=none", "--ur") == (["--url"], NOTHING_ELSE)
    assert offered("create", "-d", "bogus", "--dri") == (["--driver"], NOTHING_ELSE)
    assert offered("set", "x", "--ma") == (["--mac"], NOTHING_ELSE)
    monkeypatch.setenv("MACHINE_DRIVER", "generic")
    assert offered("create", "--ssh-key", "") == ([], FILES)


@given(st.lists(st.sampled_from([*VERBS, *GROUPS["certs"], "-", "--", "-s", "--out", "=", "--driver=none", "", "x"])))
def test_whatever_was_typed_is_answered(words: list[str]) -> None:
    assert cobra_lines(words).splitlines()[-1] in {":0", ":2", ":4", ":6", ":16"}


@pytest.mark.usefixtures("machines")
def test_docker_completes_with_it(docker: PluggedDocker) -> None:
    assert docker.machinectl("docker-plugin", "install").returncode == 0
    for before in ([], ["-H", "tcp://192.0.2.1:1"], ["--context=x"]):
        told = docker("__complete", *before, "machine", "env", "").stdout
        assert told == "orionbox\nrigel\n:4\n"
    told = docker("__complete", "machine", "create", "-d", "none", "--u").stdout
    assert told.startswith("--url\tWhere the engine is")
    assert told.endswith(".\n:4\n")
    assert "machine\tDocker hosts" in docker("__complete", "mach").stdout


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("docker machine env ri", ["rigel"]),
        ("docker machine stat", ["status"]),
        ("docker machine env --she", ["--shell"]),
        ("docker machine env --shell=f", ["fish"]),
        ("docker machine scp notes ri", ["rigel:"]),
        ("docker mach", ["machine"]),
    ],
)
def test_real_bash_completes_with_dockers_own_script(docker: PluggedDocker, typed: str, completed: list[str]) -> None:
    need("bash")
    assert docker.machinectl("docker-plugin", "install").returncode == 0
    script = docker("completion", "bash").stdout
    words = typed.split(" ")
    # What bash-completion's own function would say of the words, which is not there: they hold no `:`.
    ask = f"""
_get_comp_words_by_ref() {{ cur=${{COMP_WORDS[COMP_CWORD]}}; prev=; words=("${{COMP_WORDS[@]}}"); cword=$COMP_CWORD; }}
compopt() {{ :; }}
COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1} COMP_LINE='{typed}' COMP_POINT={len(typed)} COMP_TYPE=9
__start_docker
printf '%s\\n' "${{COMPREPLY[@]% }}"
"""
    environment = {**os.environ, **docker.environment, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{ask}"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == completed, done.stderr
