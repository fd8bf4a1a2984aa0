"""daemon.json: what is ours goes in and comes out again, and nothing else of it is lost or moved."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import CheckFailed, UsageError
from machinectl.provision import daemon_json
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
configs = st.dictionaries(
    st.text(max_size=8) | st.sampled_from(["hosts", "labels", "tls", "live-restore"]), values, max_size=6
)
ours = st.dictionaries(st.sampled_from(["hosts", "tlsverify", "live-restore", "labels"]), values, max_size=4)


@given(configs, ours)
@settings(max_examples=30)
def test_other_keys_stay_as_they_were_and_where_they_were(there: dict[str, Any], our: dict[str, Any]) -> None:
    text = daemon_json.dump(there, None)
    after = daemon_json.parse_config(daemon_json.dump({**daemon_json.parse_config(text, "f"), **our}, text), "f")
    others = [key for key in there if key not in our]
    assert [key for key in after if key not in our] == others
    assert [after[key] for key in others] == [there[key] for key in others]
    assert list(after)[: len(there)] == list(there)
    assert all(after[key] == value for key, value in our.items())


@given(configs, ours)
@settings(max_examples=30)
def test_what_was_put_in_comes_out_again(there: dict[str, Any], our: dict[str, Any]) -> None:
    assert daemon_json.put_back({**there, **our}, there, our) == there


def test_a_key_that_somebody_changed_since_is_theirs() -> None:
    now = {"hosts": ["theirs"], "tlsverify": True, "new": 1}
    assert daemon_json.put_back(now, {}, {"hosts": ["ours"], "tlsverify": True}) == {
        "hosts": ["theirs"],
        "new": 1,
    }


def test_a_file_keeps_its_indentation() -> None:
    assert daemon_json.dump({"a": 1}, b'{\n\t"b": 2\n}') == b'{\n\t"a": 1\n}\n'
    assert daemon_json.dump({"a": "é"}, None) == '{\n    "a": "é"\n}\n'.encode()


@pytest.mark.parametrize("text", [None, b"", b" \n", b"{}", b"\xef\xbb\xbf{}"])
def test_what_dockerd_takes_for_no_configuration_is_none(text: bytes | None) -> None:
    assert daemon_json.parse_config(text.strip() if text else text, "f") == {}


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a": }', b"\xff\xfe", b"null", b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused_by_its_name(text: bytes) -> None:
    with pytest.raises(CheckFailed, match=r"/etc/docker/daemon\.json"):
        daemon_json.parse_config(text, "/etc/docker/daemon.json")


def test_what_says_where_it_is_broken_can_be_typed_on_the_host(tmp_path: Path) -> None:
    need("dockerd")
    path = tmp_path / "daemon json"
    path.write_text('{"a": }')
    with pytest.raises(CheckFailed) as refused:
        daemon_json.parse_config(path.read_bytes(), str(path))
    command = shlex.split(refused.value.hint.rpartition(": ")[2])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "invalid character" in done.stderr) == (1, True)


def test_engine_options_become_keys_of_the_type_that_dockerd_wants() -> None:
    given_options = [
        "debug=true",
        "mtu=1400",
        "log-level=warn",
        "dns=10.0.0.1",
        "dns=10.0.0.2",
        "log-opt=max-size=10m",
        "log-opt=max-file=3",
        "default-shm-size=67108864",
        "icc=false",
        "experimental",
        "--storage-opt=size=1G",
    ]
    assert daemon_json.option_keys(given_options, {"dns": ["1.1.1.1"], "log-opts": {"a": "b"}}) == {
        "debug": True,
        "mtu": 1400,
        "log-level": "warn",
        "dns": ["1.1.1.1", "10.0.0.1", "10.0.0.2"],
        "log-opts": {"a": "b", "max-size": "10m", "max-file": "3"},
        "default-shm-size": "67108864",
        "icc": False,
        "experimental": True,
        "storage-opts": ["size=1G"],
    }


@pytest.mark.parametrize(
    "option", ["host=tcp://:1", "tlsverify=false", "tlscacert=/x", "", "=x", "default-ulimit=a=1:2"]
)
def test_an_engine_option_that_is_ours_or_cannot_be_a_key_is_refused(option: str) -> None:
    with pytest.raises(UsageError) as refused:
        daemon_json.option_keys([option], {})
    # By hand it would contradict, too.
    assert ("machinectl sets it" in refused.value.cause) != ("Set it in" in refused.value.hint)


def test_a_label_takes_the_place_of_one_with_its_key() -> None:
    assert daemon_json.labelled(["a=1", "b=2"], {"b": "x=y", "c": ""}) == ["a=1", "b=x=y", "c="]
    # One that somebody put after ours is no change.
    there = ["provider=generic", "rack=7", "after=1"]
    assert daemon_json.labelled(there, {"rack": "7"}) == there
    assert daemon_json.labelled(["rack=1", "a=1", "rack=2"], {"rack": "7"}) == ["rack=7", "a=1"]


def test_half_a_surrogate_pair_is_written_as_it_was_read() -> None:
    text = b'{"data-root": "/\\ud800"}'
    assert daemon_json.dump(daemon_json.parse_config(text, "x"), text) == b'{\n    "data-root": "/\\ud800"\n}\n'
