"""What is sent next, decided from what is here, what was sent, and what is on the host."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from machinectl.compose.local_files import FileHere, LocalFiles
from machinectl.compose.project import Bind, Project
from machinectl.compose.sent_files import (
    NANO,
    Changes,
    FileThere,
    Look,
    SentFiles,
    all_entries,
    changed_paths,
    paths_to_look_at,
    plan_changes,
)

if TYPE_CHECKING:
    from pathlib import Path

FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


@pytest.fixture
def here(tmp_path: Path) -> LocalFiles:
    (tmp_path / "www").mkdir()
    source = str(tmp_path / "www")
    return LocalFiles(Project("shop", str(tmp_path), (), (Bind("web", {}, source),)))


def plan(here: LocalFiles, sent: SentFiles, **there: FileThere) -> Changes:
    """Plan with files below www on the host, by name."""
    [source] = here.sources
    found = {source: FileThere(DIRECTORY, 0, 0, 0, 0), **{f"{source}/{name}": file for name, file in there.items()}}
    return plan_changes(here, sent, changed_paths(here, sent), found)


def file(time: int = 1, *, mode: int = FILE, inode: int = 1) -> FileHere:
    return FileHere(mode, 0, 0, 1, time * NANO, inode)


def there(time: int = 1, size: int = 1, *, mode: int = FILE, uid: int = 0) -> FileThere:
    return FileThere(mode, uid, 0, size, time)


def sent_as(here: LocalFiles, **files: FileHere) -> SentFiles:
    [source] = here.sources
    return SentFiles(entries={**here.entries, **{f"{source}/{name}": each for name, each in files.items()}})


def with_files(here: LocalFiles, **files: FileHere) -> LocalFiles:
    [source] = here.sources
    here.entries.update({f"{source}/{name}": each for name, each in files.items()})
    return here


def test_only_what_changed_here_is_sent(here: LocalFiles) -> None:
    sent = sent_as(here, same=file(), changed=file(), moved=file())
    with_files(here, same=file(), changed=file(2), moved=file(inode=2), new=file())
    changes = plan(here, sent, same=there(9), changed=there(), moved=there())
    assert {path.rpartition("/")[2] for path in changes.new} == {"changed", "new"}
    assert not changes.kept


def test_what_a_container_changed_stays(here: LocalFiles) -> None:
    sent = sent_as(here, both=file(), gone=file(), removed=file(), theirs_only=file())
    with_files(here, both=file(2), made_by_both=file(), theirs_only=file())
    changes = plan(here, sent, both=there(3), gone=there(3), removed=there(), made_by_both=there(9))
    assert [path.rpartition("/")[2] for path in changes.kept] == ["both", "gone", "made_by_both"]
    assert [path.rpartition("/")[2] for path in changes.removed] == ["removed"]
    assert not changes.new


def test_an_owner_or_a_mode_that_a_container_set_stays(here: LocalFiles) -> None:
    sent = sent_as(here, taken=file())
    with_files(here, taken=file(2, mode=FILE | 0o111))
    [new] = plan(here, sent, taken=there(uid=999)).new.values()
    assert (new.uid, new.mode) == (999, FILE | 0o111)
    # Also if the list is lost: what is there is compared.
    assert f"{here.sources[0]}/taken" not in plan(here, SentFiles(), taken=there(2, uid=999)).new


def test_what_was_cut_is_sent_again_although_it_differs(here: LocalFiles) -> None:
    sent = sent_as(here, half=file())
    [source] = here.sources
    sent.pending = {f"{source}/half", f"{source}/old"}
    with_files(here, half=file(2))
    changes = plan(here, sent, half=there(5, 0), old=there())
    assert list(changes.new) == [f"{source}/half"]
    assert changes.removed == [f"{source}/old"]


@pytest.mark.parametrize("mode", [FILE, LINK])
def test_nothing_goes_through_a_link_that_a_container_made(here: LocalFiles, mode: int) -> None:
    [source] = here.sources
    sent = sent_as(here, css=FileHere(DIRECTORY, 0, 0))
    with_files(here, css=FileHere(DIRECTORY, 0, 0), **{"css/a": file()})
    changes = plan(here, sent, css=there(mode=mode))
    assert changes.kept == [f"{source}/css/a"]
    assert not changes.new


def test_a_file_takes_the_place_of_a_directory_and_the_reverse(here: LocalFiles) -> None:
    [source] = here.sources
    sent = sent_as(here, a=file(), b=FileHere(DIRECTORY, 0, 0))
    with_files(here, a=FileHere(DIRECTORY, 0, 0), b=file())
    changes = plan(here, sent, a=there(), b=there(mode=DIRECTORY))
    assert sorted(changes.new) == changes.removed[::-1] == [f"{source}/a", f"{source}/b"]


def test_files_of_other_compose_files_stay_on_the_list(here: LocalFiles) -> None:
    sent = SentFiles(entries={"/elsewhere": file()})
    assert all_entries(here, sent) == {"/elsewhere": file(), **here.entries}
    assert "/elsewhere" not in changed_paths(here, sent)


def test_a_source_that_is_one_file_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    here = LocalFiles(Project("shop", str(tmp_path), (), (Bind("web", {}, str(tmp_path / "a")),)))
    sent = SentFiles(entries={**here.entries, str(tmp_path / "a"): file()})
    changed = changed_paths(here, sent)
    assert paths_to_look_at(changed)[-1] == str(tmp_path / "a")
    changes = plan_changes(here, sent, changed, {str(tmp_path / "a"): there()})
    assert (list(changes.in_place), changes.new) == ([str(tmp_path / "a")], {})


def test_the_list_is_read_as_it_was_written_and_a_damaged_one_is_empty(tmp_path: Path) -> None:
    path = str(tmp_path / "list.json")
    sent = SentFiles(
        "shop", "/p", "mark", {"/p/a": file(), "/p/l": FileHere(LINK, 0, 0, link="a")}, {"/p/a"}, ["/p/x: y"]
    )
    sent.write(path)
    assert SentFiles.read(path) == sent
    (tmp_path / "list.json").write_text('{"entries": {"/p/a": 1}}')
    assert SentFiles.read(path) == SentFiles()


def test_what_a_host_prints_is_read_with_any_name_or_refused() -> None:
    look = Look.read("mark\n/srv\n\n81a4 3 100 999 998 ./p/a b  c\n")
    assert look == Look("mark", ["/srv"], {"/p/a b  c": FileThere(0o100644, 999, 998, 3, 100)})
    for text in ("", "mark\n", "mark\n\nrm -rf /\n", "mark\n\n81a4 x 100 999 998 ./p\n"):
        with pytest.raises(ValueError, match=r"not in list|unpack|literal"):
            Look.read(text)
