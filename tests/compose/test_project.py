"""What `machinectl compose` reads of a project, as the real docker compose has it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.compose.arguments import CommandLine, parse, project_directory, project_files
from machinectl.compose.project import Project, read_project, with_files
from machinectl.errors import MachineError, UsageError
from tests.support.example import need_compose

if TYPE_CHECKING:
    from pathlib import Path

UP = CommandLine(command="up")
SERVICE = "services: {web: {image: busybox}}"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need_compose()
    place = tmp_path.resolve() / "shop"
    place.mkdir()
    monkeypatch.chdir(place)
    for name in [name for name in os.environ if name.startswith("COMPOSE_")]:
        monkeypatch.delenv(name)
    return place


def written(directory: Path, volumes: str, more: str = "") -> Path:
    (directory / "compose.yaml").write_text(f"services: {{web: {{image: busybox, volumes: [{volumes}]}}}}\n{more}")
    return directory


def project(*allowed: str, line: CommandLine = UP) -> Project:
    return read_project(line, os.environ, allowed)


def test_the_options_of_compose_are_read_as_it_reads_them(directory: Path) -> None:
    line = parse(
        ["-f", "a.yaml", "-fb.yaml", "-p=shop", "--env-file=x", "--dry-run", "--profile", "*", "up", "-d", "-f"]
    )
    assert line.values["--file"] == [f"{directory}/a.yaml", f"{directory}/b.yaml"]
    assert line.values["--project-name"] == ["shop"]
    assert line.options[-3:] == (f"--env-file={directory}/x", "--dry-run", "--profile=*")
    assert (line.command, line.arguments, line.starts) == ("up", ("-d", "-f"), True)
    assert not parse(["up", "--help"]).starts
    assert not parse(["ps"]).starts
    with pytest.raises(UsageError, match="stdin"):
        parse(["-f", "-", "up"])


@pytest.mark.parametrize(
    ("files", "environment", "where"),
    [
        ({"compose.yaml": SERVICE, "compose.override.yml": "services: {db: {image: b}}"}, {}, "."),
        ({"docker-compose.yml": SERVICE, ".env": "COMPOSE_PROJECT_NAME=other"}, {}, "sub/deep"),
        (
            {"a.yml": SERVICE, "b.yml": "services: {db: {image: '${X}'}}", ".env": "COMPOSE_FILE='a.yml:b.yml'\nX=1"},
            {},
            ".",
        ),
        (
            {"sub/c.yml": SERVICE, ".env": "X=1", "sub/.env": "X=2\nCOMPOSE_PROJECT_NAME=s"},
            {"COMPOSE_FILE": "sub/c.yml"},
            ".",
        ),
        (
            {"a,b.yml": SERVICE, "compose.yml": "services: {}"},
            {"COMPOSE_FILE": "a,b.yml", "COMPOSE_PATH_SEPARATOR": ":"},
            ".",
        ),
    ],
)
def test_the_files_that_are_found_are_those_that_compose_finds(
    directory: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], environment: dict[str, str], where: str
) -> None:
    (directory / "sub" / "deep").mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    monkeypatch.chdir(directory / where)

    def shown(variables: dict[str, str]) -> str:
        command = ["docker", "compose", "config"]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout

    own = {**os.environ, **environment}
    found = project_files(UP, own)
    assert shown(with_files(UP, own, found)) == shown(own)
    assert project_directory(UP, found) == os.path.dirname(found[0])


def test_what_lies_in_the_projects_directory_is_copied_whatever_the_way_it_is_written(directory: Path) -> None:
    (directory / "html").mkdir()
    (directory / "current").symlink_to("html")
    written(
        directory,
        "'./html:/www:ro', '${DIR}/html:/own', './current:/link', '/srv/data:/srv', 'data:/data', './missing:/m'",
        "configs: {c: {file: ./c.txt}, t: {content: x}}\nsecrets: {s: {file: ./s.txt}}\nvolumes: {data: {}}",
    )
    text = (directory / "compose.yaml").read_text().replace("busybox,", "busybox, configs: [c, t], secrets: [s],")
    (directory / "compose.yaml").write_text(text)
    os.environ["DIR"] = str(directory)
    found = project()
    assert found.name == "shop"
    assert [bind.source for bind in found.binds] == [*[f"{directory}/html"] * 3, f"{directory}/missing"]
    assert found.files == {("configs", "c"): f"{directory}/c.txt", ("secrets", "s"): f"{directory}/s.txt"}
    assert found.host_paths == ("/srv/data",)
    override = json.loads(found.override("/copies"))
    volume = override["services"]["web"]["volumes"][0]
    assert (volume["source"], volume["target"], volume["read_only"]) == (f"/copies{directory}/html", "/www", True)
    assert volume["bind"]["create_host_path"] is False
    assert override["secrets"] == {"s": {"file": f"/copies{directory}/s.txt"}}


def test_the_override_changes_sources_and_nothing_else(directory: Path) -> None:
    (directory / "a$b").mkdir()
    written(
        directory,
        "{type: bind, source: './a$$b', target: /x, read_only: true, bind: {propagation: rslave}}, './c:/c:z'",
    )
    before = json.loads(
        subprocess.run(["docker", "compose", "config", "--format=json"], capture_output=True, check=True).stdout
    )
    (directory / "override.yaml").write_text(project().override("/copies"))
    command = ["docker", "compose", "-f", "compose.yaml", "-f", "override.yaml", "config", "--format=json"]
    after = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for volume in before["services"]["web"]["volumes"]:
        volume["source"] = "/copies" + volume["source"]
        volume["bind"].pop("create_host_path", None)
    assert after == before


def test_what_is_outside_of_the_project_is_refused_until_it_is_allowed(directory: Path) -> None:
    shared = directory.parent / "shared"
    shared.mkdir()
    (directory / "link").symlink_to("../shared")
    for source in ("../shared", "./link"):
        written(directory, f"'{source}:/x'")
        with pytest.raises(UsageError) as refused:
            project()
        assert source in refused.value.cause
        assert f"--allow {shared}" in refused.value.hint
        assert [bind.source for bind in project("../shared").binds] == [str(shared)]
    written(directory, f"'{shared}:/x'")
    assert project().host_paths == (str(shared),)
    assert [bind.source for bind in project(str(shared)).binds] == [str(shared)]
    written(directory, "", "secrets: {s: {file: ../s.txt}}")
    text = (directory / "compose.yaml").read_text().replace("busybox,", "busybox, secrets: [s],")
    (directory / "compose.yaml").write_text(text)
    with pytest.raises(UsageError, match='secret "s" is outside'):
        project()


def test_a_project_that_compose_refuses_and_one_that_is_not_there_are_errors(directory: Path) -> None:
    with pytest.raises(UsageError, match="no compose file"):
        project()
    (directory / "compose.yaml").write_text("services: {web: {}}")
    with pytest.raises(MachineError, match="neither an image nor a build"):
        project()


def test_what_other_volumes_of_each_user_cover_is_known(directory: Path) -> None:
    written(directory, "'.:/app', '/app/node_modules', './html:/app/html'")
    assert project().binds[0].covered == {"node_modules", "html"}
