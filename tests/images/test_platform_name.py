"""Platforms are understood as docker writes them."""

from __future__ import annotations

import pytest

from machinectl.errors import UsageError
from machinectl.images.image import parse_platform


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/armhf", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_other_spellings_are_the_same_platform(text: str, name: str) -> None:
    assert parse_platform(text) == name


@pytest.mark.parametrize("text", ["linux/", "/amd64", "linux", "a/b/c/d", "\x1b[31m", "linux amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a platform") as caught:
        parse_platform(text)
    assert "\x1b" not in caught.value.cause
