"""`push`, `pull` and `images` as users type them, on real engines of both image stores."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from machinectl.engine.http import request
from machinectl.machines.record import Machine, Phase
from tests.support import servers
from tests.support.archives import Made, saved
from tests.support.image_engines import Engine, unique_layer
from tests.support.in_process import machinectl
from tests.support.pages import DOCS
from tests.support.program import COMMAND, typed_at_terminal
from tests.support.registered import added, over_ssh, register

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.image_engines import Engine
    from tests.support.registry import Registry
    from tests.support.servers import Connection
    from tests.support.sshd import Sshd

ELSEWHERE = "the image from elsewhere: --from <NAME>, --from-file <FILE>"


def promised_keys(verb: str) -> list[str]:
    """Return the keys that docs/json.md promises."""
    row = re.search(rf"^\| `{verb}` \| [^|]* \| ([^|;]*)", (DOCS / "json.md").read_text(), re.MULTILINE)
    return re.findall(r"`([A-Za-z]+)`", row[1] if row else "")


@pytest.mark.usefixtures("image_machines")
def test_an_image_gets_to_a_machine_and_back_under_another_name(engines: dict[str, Engine]) -> None:
    engines["classic"].load(saved({"app:1": Made([unique_layer(), unique_layer()])}))
    pushed = machinectl("push", "app:1", "containerd")
    assert (pushed.returncode, pushed.stdout[:36]) == (0, "containerd: sent 430kB of 430kB (2 o")
    pulled = machinectl("pull", "app:1", "containerd", "--as", "copy:2", "--json")
    assert pulled.returncode == 0, pulled.stderr
    told = json.loads(pulled.stdout)
    assert (told["Sent"], told["Present"], told["Replaced"], told["Named"]) == (0, True, "", True)
    assert list(told) == promised_keys("push")
    named = machinectl("pull", "app:1", "containerd", "--as", "copy:3")
    assert named.stdout == "containerd: the image is here already, now also as copy:3\n"
    again = machinectl("push", "--dry-run", "app:1", "containerd")
    assert again.stdout == "containerd: already has the image\n"
    for words, now in ((["push", "copy:3"], ", now also as copy:3"), (["push", "app:1", "--as", "copy:3"], "")):
        assert machinectl(*words, "containerd").stdout == f"containerd: already has the image{now}\n"
    assert engines["classic"].images()["copy:2"] == engines["classic"].images()["app:1"]
    listed = json.loads(machinectl("images", "--json").stdout)
    assert all(list(each) == promised_keys("images") for each in listed)
    names = {(each["Machine"], f"{each['Repository']}:{each['Tag']}") for each in listed}
    assert {("classic", "app:1"), ("classic", "copy:2"), ("containerd", "app:1")} <= names


@pytest.mark.usefixtures("image_machines")
def test_an_archive_on_stdin_can_be_the_source(engines: dict[str, Engine], tmp_path: Path) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(saved({"app:1": Made([unique_layer()]), "other:1": Made([unique_layer()])}))
    with archive.open("rb") as file:
        done = subprocess.run(
            [*COMMAND, "push", "--from-file", "-", "app:1", "--all"],
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert all("app:1" in engine.images() and "other:1" not in engine.images() for engine in engines.values())


def test_an_image_goes_over_tls_and_over_ssh(
    store: Store, engines: dict[str, Engine], dockerd: Dockerd, sshd: Sshd, tmp_path: Path
) -> None:
    sshd.configure(f"SetEnv DOCKER_HOST=unix://{dockerd.socket}")
    over_ssh(store, sshd)
    register(store, "rigel", sshd, engine=dockerd)
    for name, url in (("orion", "ssh://"), ("rigel", "tcp://")):
        archive = tmp_path / "app.tar"
        archive.write_bytes(saved({f"{name}:1": Made([unique_layer(3000)])}))
        assert store.read(name).url.startswith(url)
        done = machinectl("push", "--from-file", archive, f"{name}:1", name, store=store.root)
        assert done.stdout.startswith(f"{name}: sent 3.0"), done.stderr
        assert len(engines["classic"].saved_blobs(f"{name}:1")) >= 3
        pulled = machinectl(
            "pull", f"{name}:1", name, store=store.root, environment={"DOCKER_HOST": engines["containerd"].endpoint.url}
        )
        assert pulled.stdout.startswith(f"{name}: fetched 3.0"), pulled.stderr
        assert len(engines["containerd"].saved_blobs(f"{name}:1")) >= 3


def test_a_failure_of_one_machine_is_said_and_the_others_get_the_image(
    image_machines: Store, engines: dict[str, Engine], tmp_path: Path
) -> None:
    added(image_machines, Machine("off", "none", url=f"unix://{tmp_path}/off.sock", phase=Phase.READY))
    engines["classic"].load(saved({"app:1": Made([unique_layer()])}))
    done = machinectl("push", "app:1", "off", "containerd", "nobody", "--json")
    results = {each["Name"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert "does not exist" in results["nobody"]["Error"]
    assert "off.sock" in results["off"]["Error"]
    assert results["containerd"]["Layers"] == results["containerd"]["OfLayers"] == 1


@pytest.mark.usefixtures("image_machines")
@pytest.mark.parametrize(
    ("arguments", "status", "cause"),
    [
        (["push", "App", "classic"], 2, "'App' is not an image name"),
        (["push", "nowhere:1", "classic"], 1, "There is no image 'nowhere:1'"),
        (["push", "app:1", "--from", "classic", "--from-file", "x", "classic"], 2, "exclude each other"),
        (["push", "app:1", "--from-file", "missing.tar", "classic"], 1, "There is no file missing.tar"),
        (["push", "app:1", "--platform", "linux/", "classic"], 2, "'linux/' is not a platform"),
        (["push", "app:1", "--as", "app@sha256:" + "0" * 64, "classic"], 2, "has a digest"),
        (["push", "\x1b[31mapp", "classic"], 2, r"'\x1b[31mapp' is not an image name"),
        (["push", "app:1", "nobody"], 1, 'Docker machine "nobody" does not exist'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], status: int, cause: str) -> None:
    done = machinectl(*arguments)
    assert done.returncode == status
    first, *more = done.stderr.splitlines()
    assert cause in first
    assert len(more) <= 2
    assert "\x1b" not in done.stderr


@pytest.mark.usefixtures("image_machines")
def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "zstd").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "tree").mkdir()
    for name, said in (("zstd", f"{tmp_path}/zstd: not an image archive (tar, gzip"), ("tree", "Cannot read")):
        done = machinectl("push", "--from-file", tmp_path / name, "app:1", "classic")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"Error: {said}" in done.stderr


@pytest.mark.usefixtures("image_machines")
@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("unix:///nowhere.sock", 1, f"There is no socket /nowhere.sock on this computer\n  Take {ELSEWHERE}"),
        ("tcp://127.0.0.1:1", 1, f"127.0.0.1:1 refuses the connection: nothing listens there\n  Take {ELSEWHERE}"),
        ("bogus", 2, "DOCKER_HOST: The URL 'bogus' has no scheme\n  Write tcp://bogus; or: unset DOCKER_HOST"),
    ],
)
def test_an_engine_that_docker_points_at_in_vain_is_answered_with_another_source(
    monkeypatch: pytest.MonkeyPatch, address: str, status: int, said: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    done = machinectl("push", "app:1", "classic")
    assert (done.returncode, done.stderr) == (status, f"Error: {said}\n")


STORES = ["classic", "containerd"]
EVERY = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.CreatedAt}}\t{{.Size}}"


@pytest.mark.usefixtures("image_machines")
@pytest.mark.parametrize("name", STORES)
def test_each_field_is_what_docker_prints(engines: dict[str, Engine], registry: Registry, name: str) -> None:
    engine = engines[name]
    engine.load(saved({"two:1": Made([unique_layer()]), "other:1": Made([unique_layer()])}))
    engine.docker("tag", "two:1", "two:latest")
    engine.docker("tag", "two:1", "registry.lan:5000/team/two:1")
    engine.load(saved({"gone:1": Made([unique_layer()])}))
    engine.load(saved({"gone:1": Made([unique_layer()])}))
    by_digest = Made([unique_layer()])
    place = registry.upload("by-digest:1", by_digest).rpartition(":")[0]
    query = urlencode({"fromImage": place, "tag": by_digest.manifest_digest})
    with request(engine.endpoint, "POST", f"/images/create?{query}") as answer:
        answer.read(1 << 20)
    for flags in ([], ["--no-trunc"], ["--digests"], ["--filter=dangling=true"], ["--filter=reference=two*"]):
        template = EVERY + "\t{{.Digest}}" * ("--digests" in flags)
        theirs = engine.docker("images", "--format", template, *flags).decode().splitlines()
        done = machinectl("images", name, "--format", template, *flags)
        assert sorted(done.stdout.splitlines()) == sorted(theirs), done.stderr
        theirs = engine.docker("images", "-q", *flags).decode().splitlines()
        assert sorted(set(machinectl("images", name, "-q", *flags).stdout.splitlines())) == sorted(set(theirs))


@pytest.mark.usefixtures("image_machines")
def test_the_machines_stand_before_dockers_columns(engines: dict[str, Engine]) -> None:
    for engine in engines.values():
        engine.load(saved({"app:1": Made([unique_layer()])}))
    heading, *rows = (line.split() for line in machinectl("images").stdout.splitlines())
    assert heading == ["MACHINE", "REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert [row[:3] for row in rows if row[1] == "app"] == [[name, "app", "1"] for name in STORES]
    assert "DIGEST" in machinectl("images", "--digests").stdout.splitlines()[0]


def test_what_an_engine_says_is_harmless_on_a_terminal(store: Store) -> None:
    said = json.dumps([{"Id": "sha256:\x1b[2J", "RepoTags": ["\x1b[31mevil:1", 7], "Created": "x", "Size": None}, 8])

    def engine(connection: Connection) -> None:
        while connection.request():
            connection.send(servers.answer(said.encode()))

    with servers.serving(engine) as port:
        added(store, Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        shown = typed_at_terminal("images", store=store.root)
    assert "evil" in shown
    assert "\x1b" not in shown
