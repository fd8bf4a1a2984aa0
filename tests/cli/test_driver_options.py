from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.cli.driver_options import said
from machinectl.driver import Option

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_path_that_is_typed_is_one_from_wherever_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key, lists = Option("key", "A key.", path=True), Option("lists", "Files.", default=(), path=True)
    assert said(key, "id") == str(tmp_path / "id")
    assert said(key, "~/id") == os.path.expanduser("~/id")
    assert said(key, "") == ""
    assert said(lists, ["a", "/b"]) == (str(tmp_path / "a"), "/b")
    assert said(Option("name", "A name."), "id") == "id"
