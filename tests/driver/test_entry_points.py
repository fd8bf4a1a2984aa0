"""Entry points read from their files: the same as importlib.metadata finds, and no file breaks it."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from machinectl.driver.installed_drivers import GROUP, entries_in, find_origin

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_they_are_those_that_importlib_finds() -> None:
    for found in metadata.entry_points(group=GROUP):
        assert find_origin(GROUP, found.name) == found.value


def test_the_first_package_on_the_import_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory in ("later", "earlier"):
        info = tmp_path / directory / "x-1.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(
            f"[console_scripts]\nmine = x:no\n\n[{GROUP}]\n# none = x:No\nmine = {directory}:A.b\n[other]\nmine=x:no\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path / directory))
    assert find_origin(GROUP, "mine") == "earlier:A.b"
    assert find_origin(GROUP, "nobodys") == ""


@given(st.text())
def test_whatever_a_file_holds_breaks_nothing(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("info") / "entry_points.txt"
    path.write_text(f"[{GROUP}]\n{text}", encoding="utf-8", errors="surrogatepass")
    assert all(isinstance(name, str) for name, _ in entries_in(str(path), GROUP))
