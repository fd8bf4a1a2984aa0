"""Hints repeat what was typed without its secrets: a CI job's log keeps them."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("create --sudo-password=SECRET --bogus x", "create --sudo-password-file=… --bogus x"),
        ("create --sudo-pasword SECRET x", "create --sudo-password-file … x"),
        ("create x --sudo-password -SECRET", "create x --sudo-password-file …"),
        ("--github-api-token=SECRET lss", "--github-api-token=… ls"),
        ("--github-api-token SECRET lss", "--github-api-token … ls"),
        (
            "create --engine-env HTTP_PROXY=SECRET --engine-labell a=b x",
            "create --engine-env HTTP_PROXY=… --engine-label a=b x",
        ),
        ("create --engine-envv TOKEN=SECRET x", "create --engine-env TOKEN=… x"),
        ("create --url tcp://u:SECRET@h:1", "create --url=tcp://…@h:1 <NAME>"),
        ("run wbe1 -- mysql -pSECRET", "run web1 -- …"),
        ("ssh wbe1 mysql -pSECRET", "ssh web1 …"),
        ("run --paralel 3 web1 -- mysql -pSECRET", "run --parallel 3 web1 -- …"),
        ("create -d none --url u:SECRET@h x", "tcp://…@h"),
    ],
)
def test_a_hint_leaves_typed_secrets_out(store: Store, typed: str, hint: str) -> None:
    added(store, Machine("web1", "generic", url="tcp://127.0.0.1:1", tls=True))
    ended = machinectl(*shlex.split(typed), store=store.root)
    assert hint in ended.stderr
    assert "SECRET" not in ended.stdout + ended.stderr


def test_a_corrected_line_holds_what_was_typed_on_one_line_without_control_characters(tmp_path: Path) -> None:
    ended = machinectl("-s", tmp_path / "E\x1b[31mx\ny", "lss")
    [command] = [line for line in ended.stderr.split("\n") if "Did you mean: " in line]
    assert command.isprintable()
    words = command.partition("Did you mean: ")[2]
    typed = subprocess.run(["sh", "-c", f'set -- {words}; printf "%s|" "$@"'], capture_output=True, check=True)
    assert os.fsdecode(typed.stdout) == f"machinectl|-s|{tmp_path}/E\x1b[31mx\ny|ls|"
