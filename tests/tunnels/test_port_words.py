"""What the user names to forward, and what containers publish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.tunnels.published_ports import (
    HIGHEST,
    Wish,
    find_container,
    parse_word,
    read_containers,
)

PORT = st.integers(1, HIGHEST)


@given(PORT, st.none() | st.integers(0, HIGHEST), st.sampled_from(["", "/tcp"]))
def test_a_port_may_have_its_number_here_and_its_protocol(port: int, local: int | None, protocol: str) -> None:
    word = f"{port}{protocol}" if local is None else f"{local}:{port}{protocol}"
    assert parse_word(word) == Wish("localhost", port, local)


@given(st.text(max_size=20))
def test_any_word_is_a_port_a_container_or_a_usage_error(word: str) -> None:
    try:
        found = parse_word(word)
    except UsageError as exc:
        assert exc.hint  # noqa: PT017 - most words are errors
        return
    assert found == word or (isinstance(found, Wish) and 0 < found.port <= HIGHEST)


@pytest.mark.parametrize("word", ["web", "web-1.two_3", "0123456789ab", "a" * 64])
def test_names_and_ids_are_containers(word: str) -> None:
    assert parse_word(word) == word


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("0", "0 is not a port: it must be 1 to 65535"),
        ("65536:80", "65536 is not a port: it must be 0 to 65535"),
        ("53/udp", "53/udp cannot be forwarded: SSH carries only TCP"),
        ("8080:web", "'8080:web' is neither a port nor a container"),
        ("127.0.0.1:8080:80", "'127.0.0.1:8080:80' is neither a port nor a container"),
        ("-1", "'-1' is neither a port nor a container"),
        ("٨٠", "'٨٠' is neither a port nor a container"),
    ],
)
def test_other_words_are_refused_with_the_reason(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_word(word)
    assert caught.value.cause == said


def published(*ports: object, name: str = "web", state: str = "running") -> dict[str, object]:
    return {"Id": f"{name:0>64}", "Names": [f"/other/{name}", f"/{name}"], "State": state, "Ports": list(ports)}


def port(address: object, public: object, kind: str = "tcp") -> dict[str, object]:
    return {"IP": address, "PrivatePort": 80, "PublicPort": public, "Type": kind}


def test_a_published_port_is_reached_where_the_host_reaches_it() -> None:
    [web] = read_containers(
        [published(port("0.0.0.0", 8080), port("::", 8080), port("10.0.0.7", 81), port("::1", 82), port("", 83))]
    )
    assert (web.name, web.running) == ("web", True)
    assert {(wish.target, wish.port) for wish in web.ports} == {
        ("localhost", 8080),
        ("10.0.0.7", 81),
        ("::1", 82),
        ("localhost", 83),
    }


def test_ports_that_are_not_published_or_not_tcp_are_not_forwarded() -> None:
    [web] = read_containers([published({"PrivatePort": 80, "Type": "tcp"}, port("0.0.0.0", 53, "udp"))])
    assert not web.ports
    assert web.others == {"53/udp"}


@pytest.mark.parametrize("address", ["$(id)", "/var/run/docker.sock", "a:b", 7, ["::"], "host", "::1%lo\n"])
def test_an_engine_can_only_name_addresses(address: object) -> None:
    [web] = read_containers([published(port(address, 80), port("0.0.0.0", 99999), port("0.0.0.0", "80"), None)])
    assert not web.ports


@pytest.mark.parametrize("name", ["esc\x1b]0;x\x07", "two\nlines", "\u202eab", "-oProxyCommand=x", "a" * 300, ""])
def test_an_engine_can_only_give_names_as_docker_does(name: str) -> None:
    [one] = read_containers([{**published(port("", 80), port("", 53, "tcp\nx")), "Names": [f"/{name}"]}])
    assert one.name == "0" * 12
    assert (len(one.ports), one.others) == (1, frozenset())


def test_a_container_is_found_as_docker_finds_it() -> None:
    listed = read_containers([published(name="ab"), published(name="ac", state="exited")])
    assert find_container(listed, "ac") == listed[1]
    assert find_container(listed, "0" * 62 + "ab") == listed[0]
    assert find_container(listed, "000") is None
    assert find_container(listed, "nix") is None
    assert [one.running for one in listed] == [True, False]
