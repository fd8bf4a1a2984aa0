from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import url
from machinectl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("tcp://192.168.0.29", "tcp://192.168.0.29:2376"),
        ("tcp://192.168.0.29:2375", "tcp://192.168.0.29:2375"),
        ("tcp://orion.local", "tcp://orion.local:2376"),
        ("tcp://[fd00::29]", "tcp://[fd00::29]:2376"),
        ("tcp://[fd00::29]:4243", "tcp://[fd00::29]:4243"),
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
        ("unix:///tmp/two words/docker.sock", "unix:///tmp/two words/docker.sock"),
        ("ssh://ops@orion", "ssh://ops@orion"),
        ("ssh://orion:2222", "ssh://orion:2222"),
        ("tcp://orion/", "tcp://orion:2376"),
        ("tcp://[fd00::29]:2376/", "tcp://[fd00::29]:2376"),
        ("ssh://ops@orion:2222/", "ssh://ops@orion:2222"),
    ],
)
def test_a_url_that_docker_takes_is_taken_and_a_tcp_url_gets_its_port(text: str, full: str) -> None:
    assert url.with_port(text) == full


def test_a_tcp_url_without_tls_gets_the_plain_port() -> None:
    assert url.with_port("tcp://orion", tls=False) == "tcp://orion:2375"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no scheme"),
        ("192.168.0.29:2376", "has no scheme"),
        ("http://orion:2376", "docker knows tcp, unix and ssh, not 'http'"),
        ("tcp://", "not a host's name"),
        ("tcp://orion:0", "is not a port"),
        ("tcp://orion:99999", "is not a port"),
        ("tcp://orion:", "'' is not a port"),
        ("tcp://orion:23a", "'23a' is not a port"),
        ("tcp://ops@orion:2376", "a tcp URL has no user"),
        ("tcp://fd00::29:2376", "stands in brackets"),
        ("tcp://[orion]:2376", "stands in brackets"),
        ("tcp://[fe80::1%eth0]:2376", "not a host's name"),
        ("tcp://192.168.0.256", "not a host's name"),
        ("tcp://10.66.58.011", "not a host's name"),
        ("tcp://0177.0.0.1", "not a host's name"),
        ("tcp://0x7f000001", "not a host's name"),
        ("tcp://127.0.0.1.", "not a host's name"),
        ("tcp://orion:2376/v1.43", "is not a port"),
        ("tcp://orion?x", "not a host's name"),
        ("tcp://orion\n", "cannot be printed"),
        ("tcp://ori on", "not a host's name"),
        ("unix://var/run/docker.sock", "absolute"),
        ("unix:///tmp/a\nb", "cannot be printed"),
        ("unix:///" + "x" * 200, "at most 103 bytes"),
        ("ssh://-oProxyCommand=x@orion", "is not a user's name"),
        ("ssh://-oProxyCommand=x", "not a host's name"),
    ],
)
def test_a_url_that_docker_could_not_use_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        url.parse_url(text)
    assert why in raised.value.cause
    assert raised.value.hint
    assert "\n" not in raised.value.cause


def test_a_password_in_an_ssh_url_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError) as raised:
        url.parse_url("ssh://ops:hunter2@orion")
    assert "hunter2" not in raised.value.cause + raised.value.hint


@given(st.text() | st.text(alphabet="tcpunixsh:/@[].0123456789afx-", max_size=30).map("tcp://".__add__))
def test_any_text_is_refused_or_comes_back_as_it_was_read(text: str) -> None:
    try:
        parsed = url.parse_url(text)
    except UsageError:
        return
    assert str(url.parse_url(str(parsed))) == str(parsed)


@pytest.mark.parametrize(
    ("text", "tls"),
    [("tcp://a:2376", True), ("tcp://a:4243", True), ("tcp://a:2375", False), ("unix:///x", False), ("ssh://a", False)],
)
def test_tls_follows_from_the_url_where_nobody_says(text: str, tls: bool) -> None:
    assert url.uses_tls(text) is tls
