"""Words and lines in errors."""

from __future__ import annotations

import pytest

from machinectl.errors import LONGEST_TEXT, Hint, closest_match, one_line


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


def test_one_line_looks_only_at_the_beginning_of_a_text() -> None:
    """To look at the 64 MB that an engine may say takes seconds."""
    assert one_line(" " * LONGEST_TEXT + "more") == ""
    assert one_line("a\n b" + "c" * LONGEST_TEXT, 5) == "a bc…"


def test_a_later_clause_of_a_hint_goes_on_in_small_letters() -> None:
    hint = Hint("Start sshd") | Hint("Or set its port", "machinectl set") | Hint("SSH by hand", "ssh")
    assert hint == "Start sshd; or set its port: machinectl set; SSH by hand: ssh"
    assert hint.parts[1][0] == "Or set its port"
