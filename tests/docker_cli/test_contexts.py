"""docker's contexts, judged by the docker CLI: what is written is whole or not there, and what is read is docker's."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import certs
from machinectl.docker_cli.contexts import Context, Contexts, Mark, invalid_name_reason
from machinectl.engine.docker_context import ContextError, Current, current_context
from tests.support.docker_cli import DockerCli
from tests.support.program import run_code
from tests.support.real import need, small_disk

if TYPE_CHECKING:
    from pathlib import Path

MARK = Mark("/home/me/machines", "orionbox")
OLD = {"ca.pem": b"old ca", "cert.pem": b"old cert", "key.pem": b"old key"}
NEW = {"ca.pem": b"new ca", "cert.pem": b"new cert", "key.pem": b"new key"}
# Writes, replaces or removes a context, and is killed right before its N-th touch of what docker has.
DYING = """
import sys
from machinectl.docker_cli.contexts import Context, Contexts, Mark
from tests.support.dying import die_at
contexts = Contexts(sys.argv[1])
host, files = eval(sys.argv[4])
context = (contexts.read("orionbox") or Context("orionbox")).pointed(Mark("/home/me/machines", "orionbox"), host, files)
die_at(int(sys.argv[2]), f"{contexts.config}/contexts")
with contexts.writing():
    contexts.remove("orionbox") if sys.argv[3] == "remove" else contexts.put(context)
"""


def pointed(host: str, files: dict[str, bytes], contexts: Contexts, name: str = "orionbox") -> Context:
    found = contexts.read(name) or Context(name)
    return found.pointed(Mark(MARK.store, name), host, files)


def put(contexts: Contexts, host: str = "tcp://old:2376", files: dict[str, bytes] | None = None) -> Context:
    with contexts.writing():
        context = pointed(host, OLD if files is None else files, contexts)
        contexts.put(context)
    return context


@pytest.fixture
def docker(tmp_path: Path) -> DockerCli:
    return DockerCli(tmp_path / "docker")


@pytest.fixture
def contexts(tmp_path: Path) -> Contexts:
    return Contexts(str(tmp_path / "docker"))


def test_docker_finds_what_is_written_and_reads_what_it_holds(contexts: Contexts, docker: DockerCli) -> None:
    put(contexts)
    found = docker.inspect("orionbox")
    assert found["Endpoints"]["docker"] == {"Host": "tcp://old:2376", "SkipTLSVerify": False}
    assert sorted(found["TLSMaterial"]["docker"]) == ["ca.pem", "cert.pem", "key.pem"]
    assert docker.contexts() == {"orionbox"}


def test_what_docker_writes_is_read_as_docker_means_it(contexts: Contexts, docker: DockerCli, tmp_path: Path) -> None:
    ca = certs.new_ca("theirs")
    client = certs.issue_client(ca, "client")
    pem = {"ca": ca.certificate, "cert": client.certificate, "key": client.key}
    for name, data in pem.items():
        (tmp_path / name).write_bytes(data)
    files = ",".join(f"{name}={tmp_path / name}" for name in pem)
    docker("context", "create", "theirs_1", "--docker", f"host=tcp://orion:2376,{files}")
    docker("context", "create", "loose", "--docker", "host=tcp://orion:2376,skip-tls-verify=true")
    assert sorted(contexts.names()) == ["loose", "theirs_1"]
    found, loose = contexts.read("theirs_1"), contexts.read("loose")
    assert found
    assert loose
    assert (found.host, found.files) == ("tcp://orion:2376", {f"{name}.pem": data for name, data in pem.items()})
    assert (found.mark, found.skips_verification, loose.skips_verification) == (None, False, True)


def test_what_others_wrote_into_a_context_stays_when_it_is_written_again(contexts: Contexts, docker: DockerCli) -> None:
    put(contexts)
    meta = os.path.join(contexts.place("meta", "orionbox"), "meta.json")
    with open(meta, encoding="utf-8") as file:
        document = json.load(file)
    document["Metadata"]["theirs"] = {"a": [1]}
    document["Endpoints"]["kubernetes"] = {"Host": "https://k8s"}
    with open(meta, "w", encoding="utf-8") as file:
        json.dump(document, file)
    docker("context", "update", "orionbox", "--description", "production")
    kubernetes = os.path.join(contexts.place("tls", "orionbox"), "kubernetes")
    os.mkdir(kubernetes)
    with open(os.path.join(kubernetes, "ca.pem"), "w", encoding="utf-8") as file:
        file.write("theirs")
    put(contexts, "tcp://new:2376", NEW)
    found = docker.inspect("orionbox")
    assert found["Metadata"]["Description"] == "production"
    assert found["Metadata"]["theirs"] == {"a": [1]}
    assert found["Endpoints"]["kubernetes"] == {"Host": "https://k8s"}
    assert found["TLSMaterial"]["kubernetes"] == ["ca.pem"]
    assert found["Endpoints"]["docker"]["Host"] == "tcp://new:2376"
    assert contexts.read("orionbox") == pointed("tcp://new:2376", NEW, contexts)


def test_a_copy_that_docker_makes_of_a_context_does_not_bear_our_mark(contexts: Contexts, docker: DockerCli) -> None:
    put(contexts)
    docker("context", "create", "copy", "--from", "orionbox")
    ours, copy = contexts.read("orionbox"), contexts.read("copy")
    assert ours
    assert copy
    assert ours.mark == MARK
    assert copy.mark is None
    assert copy.files == OLD


def test_only_the_owner_can_read_what_is_written_whatever_the_umask_is(contexts: Contexts) -> None:
    before = os.umask(0)
    try:
        put(contexts)
    finally:
        os.umask(before)
    for root, _, files in os.walk(contexts.config):
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(root, file)).st_mode) == 0o600 for file in files)


def test_docker_finds_a_context_all_the_while_a_certificate_is_renewed(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(contexts)
    moved: list[str] = []
    rename = os.rename

    def watched(old: str, new: str) -> None:
        moved.append(old)
        rename(old, new)

    monkeypatch.setattr(os, "rename", watched)
    put(contexts, files={**OLD, "cert.pem": b"new cert"})
    assert not [path for path in moved if not path.startswith(contexts.staging)]
    found = contexts.read("orionbox")
    assert found
    assert found.files == {**OLD, "cert.pem": b"new cert"}
    assert not os.path.lexists(contexts.staging)


def test_what_is_removed_leaves_nothing_and_nobody_else_s_goes(contexts: Contexts, docker: DockerCli) -> None:
    docker("context", "create", "theirs", "--docker", "host=tcp://orion:2375")
    put(contexts)
    with contexts.writing():
        contexts.remove("orionbox")
    assert docker.contexts() == {"theirs"}
    assert not os.path.exists(contexts.place("tls", "orionbox"))
    assert not os.path.exists(contexts.staging)


@pytest.mark.parametrize("act", ["write", "replace", "renew", "remove"])
def test_whatever_moment_it_is_killed_at_a_context_is_whole_or_not_there(
    contexts: Contexts, docker: DockerCli, act: str
) -> None:
    old = None if act == "write" else put(contexts)
    wish = ("tcp://old:2376", {**OLD, "cert.pem": b"new"}) if act == "renew" else ("tcp://new:2376", NEW)
    new = None if act == "remove" else pointed(*wish, contexts)
    for moment in range(1, 100):
        process = run_code(DYING, contexts.config, str(moment), act, repr(wish))
        found = contexts.read("orionbox")
        assert found in (None, old, new)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        # The docker CLI itself takes its time.
        assert moment % 3 or docker.contexts() <= {"orionbox"}
        # The next writer finds what there was, or what there is to be, and leaves nothing about.
        with contexts.writing():
            pass
        assert contexts.read("orionbox") in (old, new)
        assert not os.path.exists(contexts.staging)
        restore(contexts, old)
    assert moment > 5
    assert contexts.read("orionbox") == new


@pytest.mark.parametrize("act", ["replace", "remove"])
def test_killed_while_it_removes_what_was_replaced_nothing_of_that_comes_back_in_part(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    put(contexts)

    def killed(path: str) -> None:
        """Remove a part of a directory and end, as rmtree does at a kill."""
        for root, _, files in os.walk(path):
            for file in files:
                os.unlink(os.path.join(root, file))
                raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("machinectl.docker_cli.contexts.remove_tree", killed)
        with pytest.raises(SystemExit), contexts.writing():
            # The second kill is that of what puts it right.
            contexts.put(pointed("tcp://new:2376", NEW, contexts)) if act == "replace" else contexts.remove("orionbox")
    with contexts.writing():
        pass
    expected = pointed("tcp://new:2376", NEW, contexts) if act == "replace" else None
    assert contexts.read("orionbox") == expected
    assert os.path.exists(contexts.place("tls", "orionbox")) == (act == "replace")
    assert not os.path.exists(contexts.staging)


def restore(contexts: Contexts, context: Context | None) -> None:
    with contexts.writing():
        if context:
            contexts.put(context)
        else:
            contexts.remove("orionbox")


def test_no_key_is_kept_where_a_group_of_several_may_write(tmp_path: Path) -> None:
    need(root=True)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    # As with a umask of 002, where everybody has a group of his own.
    put(Contexts(str(shared)))
    os.chown(shared, -1, 65534)
    with pytest.raises(ContextError, match="its group may write to it"):
        put(Contexts(str(shared)))
    shared.chmod(0o750)
    put(Contexts(str(shared)))


def test_a_config_that_is_a_file_another_user_s_or_open_to_all_is_refused(tmp_path: Path) -> None:
    need(root=True)
    (tmp_path / "file").touch()
    opened, foreign, part = (tmp_path / name for name in ("open", "foreign", "part/contexts/tls"))
    for directory in (opened, foreign, part):
        directory.mkdir(parents=True)
    opened.chmod(0o777)
    part.chmod(0o777)
    os.chown(foreign, 1234, 1234)
    for name, cause in (
        ("file", "Not a directory"),
        ("open", "everybody may write to it"),
        ("part", "everybody may write to it"),
        ("foreign", "another user's"),
    ):
        with pytest.raises(ContextError, match=cause):
            put(Contexts(str(tmp_path / name)))
    assert list(foreign.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000])
def test_metadata_that_is_no_context_is_told_by_its_path(contexts: Contexts, content: bytes) -> None:
    put(contexts)
    meta = os.path.join(contexts.place("meta", "orionbox"), "meta.json")
    with open(meta, "wb") as file:
        file.write(content)
    with pytest.raises(ContextError) as raised:
        contexts.read("orionbox")
    assert meta in raised.value.cause
    assert contexts.names() == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Host", "machinectl", "store", "x"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["Name", "Metadata", "Endpoints", "x"]), json_values))
def test_whatever_a_document_holds_it_can_be_looked_at_and_pointed_anew(document: dict[str, Any]) -> None:
    found = Context("orionbox", document)
    assert isinstance(found.host, str)
    assert found.mark is None or found.mark.machine == "orionbox"
    anew = found.pointed(MARK, "tcp://new:2376", NEW)
    assert (anew.host, anew.files, anew.mark) == ("tcp://new:2376", NEW, MARK)


@pytest.mark.parametrize(
    "name", ["default", "a", "-ab", ".ab", "_ab", "a b", "a/b", "", "ä1", "ab\n", "ok", "a.b", "A-1", "a+_b"]
)
def test_docker_takes_for_a_name_what_we_take_for_one(docker: DockerCli, name: str) -> None:
    process = docker.run("context", "create", "--docker", "host=tcp://orion:2375", "--", name)
    assert bool(invalid_name_reason(name)) == bool(process.returncode), process.stderr


def test_the_current_context_is_what_docker_takes(contexts: Contexts, docker: DockerCli) -> None:
    put(contexts)
    config = os.path.join(contexts.config, "config.json")
    for content in (b"{", b"[]", b'{"currentContext": 1}', b"\xff"):
        with open(config, "wb") as file:
            file.write(content)
        assert current_context(contexts.config, {}) == Current("default")
    os.unlink(config)
    assert current_context(contexts.config, {}) == Current("default")
    docker("context", "use", "orionbox")
    for variables, found in (
        ({}, Current("orionbox", "config.json")),
        ({"DOCKER_CONTEXT": "rigel"}, Current("rigel", "DOCKER_CONTEXT")),
        ({"DOCKER_HOST": "tcp://x:1"}, Current("default", "DOCKER_HOST")),
        ({"DOCKER_HOST": "tcp://x:1", "DOCKER_CONTEXT": "rigel"}, Current("default", "DOCKER_HOST")),
        ({"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}, Current("orionbox", "config.json")),
    ):
        assert docker.run("context", "show", **variables).stdout.strip() == found.name
        assert current_context(contexts.config, variables) == found


def test_on_a_full_or_read_only_disk_the_context_stays_what_it_was(docker: DockerCli) -> None:
    with small_disk(docker.config, "size=128k,mode=700") as disk:
        contexts = Contexts(str(disk))
        old = put(contexts)
        (disk / "filler").write_bytes(b"x" * (60 << 10))
        with pytest.raises(ContextError) as raised:
            put(contexts, "tcp://new:2376", {"ca.pem": b"x" * (64 << 10)})
        assert "No space left" in raised.value.cause
        assert raised.value.hint.startswith("Make room")
        assert docker.contexts() == {"orionbox"}
        assert not os.path.exists(contexts.staging)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(ContextError, match="Read-only file system"):
            put(contexts, "tcp://new:2376", NEW)
        assert contexts.read("orionbox") == old
