"""Which files of this computer are sent."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from machinectl.compose.local_files import LocalFiles
from machinectl.compose.project import Bind, Project
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path


def local(directory: Path, *sources: str, covered: str = "", secret: str = "", made: bool = True) -> LocalFiles:
    volume = {"bind": {"create_host_path": made}}
    hidden = frozenset({covered} if covered else ())
    binds = tuple(Bind("web", volume, str(directory / source), hidden) for source in sources)
    files = {("secrets", "s"): str(directory / secret)} if secret else {}
    return LocalFiles(Project("shop", str(directory), (), binds, files))


def names(found: LocalFiles, directory: Path) -> set[str]:
    return {os.path.relpath(path, directory) for path in found.entries if path.startswith(f"{directory}/")}


def test_directories_files_and_links_within_are_sent_and_others_are_named(tmp_path: Path) -> None:
    www = tmp_path / "www"
    (www / ".git").mkdir(parents=True)
    (www / "a").write_text("a")
    (www / "within").symlink_to("a")
    (www / "out").symlink_to("../../x")
    (www / "absolute").symlink_to(tmp_path / "www" / "a")
    (www / "line\nbreak").write_text("")
    os.mkfifo(www / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(www)
        server.bind("socket")
    found = local(tmp_path, "www")
    assert names(found, tmp_path) == {"www", "www/a", "www/within"}
    assert sorted(why.rpartition(": ")[2] for why in found.left_out) == [
        "a control character in its name",
        *["a link to elsewhere"] * 2,
        *["a socket, pipe or device"] * 2,
    ]
    assert found.entries[str(tmp_path)].is_directory


def test_ignored_and_covered_files_stay_here_unless_they_are_named(tmp_path: Path) -> None:
    for name in ("node_modules/x", "build/keep/y", "logs/a.log", "logs/b.txt", ".git/config", "src/.git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".machinectlignore").write_text("*.log\n/build\n!/.git\n")
    found = names(local(tmp_path, ".", "build/keep", covered="node_modules"), tmp_path)
    assert {"node_modules", "build/keep/y", "logs/b.txt", ".git/config"} <= found
    assert not {"node_modules/x", "logs/a.log", "src/.git"} & found
    (tmp_path / ".machinectlignore").unlink()
    assert ".git" not in names(local(tmp_path, "."), tmp_path)
    assert ".git/config" in names(local(tmp_path, ".", ".git"), tmp_path)


def test_a_source_that_is_missing_is_made_only_where_docker_makes_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(local(tmp_path, "new").entries[str(tmp_path / "new")].mode) == 0o755
    with pytest.raises(MachineError, match="does not exist"):
        local(tmp_path, "new", made=False)
    with pytest.raises(MachineError, match="does not exist"):
        local(tmp_path, secret="password")


def test_a_secret_can_be_read_by_each_user_of_the_container(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("")
    (tmp_path / "password").chmod(0o600)
    found = local(tmp_path, secret="password")
    assert stat.S_IMODE(found.entries[str(tmp_path / "password")].mode) == 0o644
    assert found.single == {str(tmp_path / "password")}
