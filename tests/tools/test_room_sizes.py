"""What `make check-sizes` refuses, and what it notes."""

from __future__ import annotations

import tomllib

import pytest

from tools.room_sizes import complaints, held

LIMITS = {"tokens": 6.8, "arrows": 3, "rooms": {"small": {"budget": 100}, "large": {"budget": 100, "held": 150}}}
KEPT = {"small": 110, "large": 150}


@pytest.mark.parametrize(
    ("lines", "tokens", "imports", "complaint"),
    [
        (KEPT, 6.8, 3, ""),
        ({"small": 111}, 6.0, 0, "small has 111 lines, and may have 110: its budget is 100"),
        ({"large": 152}, 6.0, 0, "large has 152 lines, and may have 151: its budget is 100"),
        ({"attic": 1}, 6.0, 0, "attic is no room of tools/room_sizes.toml"),
        (KEPT, 6.81, 3, "a line of Python has 6.81 tokens, and may have 6.8"),
        (KEPT, 6.8, 4, "rooms import from each other in 4 pairs, and may in 3"),
    ],
)
def test_a_room_that_outgrows_its_budget_is_named(
    lines: dict[str, int], tokens: float, imports: int, complaint: str
) -> None:
    assert "\n".join(complaints(LIMITS, lines, tokens, imports)) == complaint


def test_what_has_shrunk_is_held_and_never_grows_again() -> None:
    noted = tomllib.loads(held(LIMITS, {"small": 50, "large": 120}, imports=2))
    assert noted["rooms"] == {"small": {"budget": 100}, "large": {"budget": 100, "held": 120}}
    assert noted["arrows"] == 2
    assert "held" not in held(LIMITS, {"large": 105}, imports=2)
    assert tomllib.loads(held(LIMITS, {"large": 200}, imports=9))["rooms"]["large"]["held"] == 150
