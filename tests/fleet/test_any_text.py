from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.fleet.fleet_file import parse_fleet

TEXTS = st.text(st.sampled_from("ab$ {}[]&*!|>'\"%@`:,-?#~\n\t0123\0\x07\u00fc\u2028\U0001f600")) | st.text()
WORDS = st.sampled_from(
    [
        *(
            "hosts:",
            "defaults:",
            "groups:",
            "<<:",
            "&a",
            "*a",
            "${A",
            "}",
            "[",
            "{",
            "labels:",
            "- ",
            "a: ",
            "\n",
            "\n  ",
        ),
        *("!!python/object:os.system", "engine-opt: ", "include: ", "a.yaml", "web[1:3]:", "x[1:3]", "[3:1]"),
        *("driver: generic", "ssh-jump: a", "ip-address: a", "tls-dir: x", "fleet: a"),
    ]
)


@given(TEXTS | st.lists(WORDS).map(" ".join))
def test_no_text_whatever_makes_anything_but_a_machine_error(text: str) -> None:
    with suppress(MachineError):
        parse_fleet(text.encode(errors="surrogatepass"), "fleet.yaml", ("a",), {"A": text})


@given(st.binary())
def test_nor_do_any_bytes(data: bytes) -> None:
    with suppress(MachineError):
        parse_fleet(data, "fleet.yaml", (), {})
