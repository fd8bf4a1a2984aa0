"""What is proposed for a mistyped word."""

from __future__ import annotations

import pytest

from machinectl.errors import closest_match


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("alcie", "alice", "alice"),
        ("BOBB", "bob", "bob"),
        ("ann", "anna", "anna"),
        ("eve", "evelyn", "evelyn"),
        ("eve", "steve", ""),
        ("steve", "eve", ""),
        ("dan", "diane", ""),
        ("bob", "rob", ""),
    ],
)
def test_a_short_word_is_close_only_to_one_with_a_letter_more_or_less(word: str, known: str, near: str) -> None:
    assert closest_match(word, [known]) == near
