"""Hints of `docker` repeat what was typed without its secrets."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("docker wbe1 -- login -p SECRET", "docker web1 -- …"),
        ("exec app mysql -pSECRET", "docker web1 -- exec app mysql -p…"),
    ],
)
def test_a_hint_of_docker_leaves_typed_secrets_out(store: Store, typed: str, hint: str) -> None:
    added(store, Machine("web1", "generic", url="tcp://127.0.0.1:1", tls=True))
    ended = machinectl(*shlex.split(typed), store=store.root)
    assert hint in ended.stderr
    assert "SECRET" not in ended.stdout + ended.stderr
