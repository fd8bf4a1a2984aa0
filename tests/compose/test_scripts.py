"""The scripts that a host's sh runs in a container: by each shell and tar that hosts have."""

from __future__ import annotations

import io
import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from machinectl.compose.archive import write_archive
from machinectl.compose.local_files import FileHere, entry_at
from machinectl.compose.sent_files import Changes, Look
from tests.support.real import need

MARK, END = "mark", "end-1"


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """A shell; busybox brings its own tar, stat, xargs and cp."""
    need("dash", "bash", "busybox", root=True)
    if request.param != "busybox":
        return ["env", request.param]
    programs = tmp_path / "programs"
    programs.mkdir()
    subprocess.run(["busybox", "--install", "-s", programs], check=True)
    return ["env", "-i", f"PATH={programs}", "sh"]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "copies" / "p").mkdir(parents=True)
    return tmp_path / "copies"


def run(
    shell: list[str], name: str, directory: Path, *words: str, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    text = (files("machinectl.compose") / name).read_text()
    return subprocess.run(
        [*shell, "-c", text, "sh", *words], cwd=directory, input=data, capture_output=True, check=False
    )


def archive(changes: Changes) -> bytes:
    written = io.BytesIO()
    write_archive(written, changes, {}, END)
    return written.getvalue()


def here(path: Path, text: str, mode: int = 0o640) -> FileHere:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    os.utime(path, (1000, 1000))
    os.chown(path, 999, 998)
    return entry_at(str(path))


def receive(shell: list[str], there: Path, changes: Changes) -> subprocess.CompletedProcess[bytes]:
    return run(shell, "receive.sh", there, END, MARK, data=archive(changes))


def test_files_arrive_whole_with_owner_mode_and_time(shell: list[str], there: Path, tmp_path: Path) -> None:
    new = here(tmp_path / "p" / "it's a \\ 'name'", "new")
    old, single = here(tmp_path / "p" / "old", "long text"), here(tmp_path / "p" / "one", "single")
    target = there / str(tmp_path)[1:] / "p"
    target.mkdir(parents=True)
    for name in ("old", "one", "gone"):
        (target / name).write_text("before")
    (target / "empty").mkdir()
    (target / "kept").mkdir()
    (target / "kept" / "theirs").write_text("")
    before = (target / "one").stat().st_ino
    paths = {f"{tmp_path}/p/{name}": file for name, file in {"it's a \\ 'name'": new, "old": old}.items()}
    paths[f"{tmp_path}/p/link"] = FileHere(0o120777, 0, 0, link="old")
    removed = [f"{tmp_path}/p/{name}" for name in ("kept", "gone", "empty")]
    done = receive(shell, there, Changes(paths, {f"{tmp_path}/p/one": single}, removed))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(path.name for path in target.iterdir()) == ["it's a \\ 'name'", "kept", "link", "old", "one"]
    assert (target / "link").readlink().name == "old"
    for name, text in (("old", "long text"), ("one", "single")):
        found = (target / name).stat()
        assert (target / name).read_text() == text
        assert (found.st_mode & 0o777, found.st_uid, found.st_gid, found.st_mtime) == (0o640, 999, 998, 1000)
    assert (target / "one").stat().st_ino == before
    assert sorted(path.name for path in there.iterdir() if path.name.startswith(".")) == [".mark"]
    seen = run(shell, "look.sh", there, data=b"".join(b"." + os.fsencode(path) + b"\0" for path in (*paths, "/p/no")))
    look = Look.read(seen.stdout.decode())
    assert (seen.returncode, look.mark, look.host_paths) == (0, MARK, [])
    assert {path: file.size for path, file in look.files.items() if not path.endswith("link")} == {
        path: file.size for path, file in paths.items() if file.link is None
    }


def test_an_archive_that_was_cut_anywhere_changes_nothing(shell: list[str], there: Path, tmp_path: Path) -> None:
    changes = Changes({f"{tmp_path}/p/{name}": here(tmp_path / "p" / name, "new") for name in "abc"}, {}, ["/p"])
    data = archive(changes)
    for size in range(0, data.index(END.encode()), 512):
        assert run(shell, "receive.sh", there, END, MARK, data=data[:size]).returncode
    assert [str(path.relative_to(there)) for path in there.rglob("*") if ".new" not in str(path)] == ["p"]
    assert run(shell, "receive.sh", there, END, MARK, data=data).returncode == 0


def test_a_program_that_runs_is_replaced_and_named(shell: list[str], there: Path, tmp_path: Path) -> None:
    sleeping = there / str(tmp_path)[1:] / "sleep"
    sleeping.parent.mkdir(parents=True)
    sleeping.write_bytes(Path("/bin/sleep").read_bytes())
    sleeping.chmod(0o755)
    changes = Changes({}, {f"{tmp_path}/sleep": here(tmp_path / "sleep", "new", 0o755)}, [])
    with subprocess.Popen([sleeping, "60"]) as program:
        try:
            done = receive(shell, there, changes)
        finally:
            program.kill()
    assert (done.returncode, done.stdout) == (0, f".{tmp_path}/sleep\n".encode())
    assert sleeping.read_text() == "new"


def test_a_link_in_the_place_of_a_directory_is_not_followed(shell: list[str], there: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = there / str(tmp_path)[1:] / "p"
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    receive(shell, there, Changes({f"{tmp_path}/p/a": here(tmp_path / "p" / "a", "new")}, {}, []))
    assert list(outside.iterdir()) == []


def test_copies_are_removed_and_others_stay(shell: list[str], there: Path) -> None:
    for key in ("one", "two"):
        (there / "compose" / key / "x").mkdir(parents=True)
    assert run(shell, "remove.sh", there, "compose", "one").returncode == 0
    assert [path.name for path in (there / "compose").iterdir()] == ["two"]
    run(shell, "remove.sh", there, "compose", "two")
    assert not (there / "compose").exists()
