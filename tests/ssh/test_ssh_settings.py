from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.ssh_errors import SSHError
from machinectl.ssh.ssh_settings import (
    choose_settings,
    jump_targets,
    read_settings,
    replace_tokens,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import SSHConfig


def test_the_users_configuration_says_how_a_host_is_reached(ssh_config: SSHConfig, tmp_path: Path) -> None:
    (tmp_path / "included").write_text("Host box\n  Port 2222\n  ProxyJump joe@jump:2200\n")
    ssh_config.write(
        f"Include {tmp_path}/included\n"
        "Match host box\n  User ops\n"
        "Host box\n  HostName 192.168.0.29\n  IdentityFile ~/.ssh/id_%r_%h\n  IdentityFile /keys/b\n"
        "  IdentitiesOnly yes\n  HostKeyAlias alias\n  ConnectTimeout 7\n  ServerAliveInterval 5\n"
        "  ServerAliveCountMax 2\n  AddressFamily inet\n"
    )
    found = read_settings(SSHEndpoint("box"))
    assert (found.hostname, found.user, found.port) == ("192.168.0.29", "ops", 2222)
    assert found.keys == (os.path.expanduser("~/.ssh/id_ops_192.168.0.29"), "/keys/b")
    assert found.identities_only
    assert not found.key_given
    assert (found.proxy_jump, found.proxy_command) == ("joe@jump:2200", "")
    assert found.host_key_alias == "alias"
    assert (found.connect_timeout, found.alive_interval, found.alive_count) == (7, 5, 2)
    assert found.known_hosts == (str(ssh_config.known_hosts),)


@pytest.mark.parametrize(
    ("line", "strictness"),
    [
        ("StrictHostKeyChecking yes", "yes"),
        ("StrictHostKeyChecking no", "no"),
        ("StrictHostKeyChecking off", "no"),
        ("StrictHostKeyChecking accept-new", "accept-new"),
        ("StrictHostKeyChecking ask", "ask"),
        ("", "ask"),
    ],
)
def test_how_strict_the_configuration_is_about_host_keys(ssh_config: SSHConfig, line: str, strictness: str) -> None:
    ssh_config.write(f'{line}\nRevokedHostKeys "/revoked keys"\n')
    found = read_settings(SSHEndpoint("box", "ops"))
    assert found.strict_host_key_checking == strictness
    assert found.revoked_host_keys == "/revoked keys"


def test_what_the_user_says_wins_over_the_configuration(ssh_config: SSHConfig) -> None:
    ssh_config.write("Host box\n  User ops\n  Port 2222\n  IdentityFile /keys/a\n")
    found = read_settings(SSHEndpoint("box", "joe", 22, "~/key"))
    assert (found.user, found.port, found.keys) == ("joe", 22, (os.path.expanduser("~/key"),))
    assert found.key_given
    assert found.identities_only


def test_a_proxy_command_is_filled_in(ssh_config: SSHConfig) -> None:
    ssh_config.write('Host box\n  HostName b\n  User ops\n  ProxyCommand nc -x 100%% %h %p "%r  %n"\n')
    assert read_settings(SSHEndpoint("box")).proxy_command == 'nc -x 100% b 22 "ops  box"'


@pytest.mark.parametrize(
    ("line", "agent"),
    [
        ("IdentityAgent none", ""),
        ("IdentityAgent SSH_AUTH_SOCK", "/the/agent"),
        ("IdentityAgent $OTHER", "/another"),
        ("IdentityAgent /sockets/%r", "/sockets/ops"),
    ],
)
def test_the_agent_is_where_the_configuration_says(
    ssh_config: SSHConfig, monkeypatch: pytest.MonkeyPatch, line: str, agent: str
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/the/agent")
    monkeypatch.setenv("OTHER", "/another")
    ssh_config.write(f"{line}\nUser ops\n")
    assert read_settings(SSHEndpoint("box")).agent == agent


def test_without_an_identity_agent_it_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/the/agent")
    assert choose_settings(SSHEndpoint("box"), {}).agent == "/the/agent"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert choose_settings(SSHEndpoint("box"), {}).agent == ""


def test_a_configuration_that_ssh_refuses_is_an_error_in_its_words(ssh_config: SSHConfig) -> None:
    ssh_config.write("NoSuchOption yes\n")
    with pytest.raises(SSHError, match=r"Bad configuration option: nosuchoption"):
        read_settings(SSHEndpoint("box"))


def asked(ssh_config: SSHConfig, *endpoints: SSHEndpoint) -> int:
    """How often ssh was started to say what it would use for these, one after the other."""
    before = len(ssh_config.calls)
    for endpoint in endpoints:
        read_settings(endpoint)
    return len(ssh_config.calls) - before


def test_ssh_is_not_asked_again_for_what_it_has_just_said(
    ssh_config: SSHConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(ssh_config, SSHEndpoint("a", "ops"), SSHEndpoint("a", "ops", key="/k")) == 1
    others = SSHEndpoint("d"), SSHEndpoint("e"), SSHEndpoint("d", "ops"), SSHEndpoint("d", port=23)
    assert asked(ssh_config, *others) == 4
    monkeypatch.setattr("machinectl.ssh.ssh_settings.ANSWER_HOLDS", 0)
    assert asked(ssh_config, SSHEndpoint("box"), SSHEndpoint("box")) == 2


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a b", "a;b", "a\nb", "$(x)", "a'b", "", "ops@box", "a/b"])
def test_what_is_no_host_or_user_is_never_given_to_ssh(name: str) -> None:
    with pytest.raises(UsageError, match="not a host"):
        read_settings(SSHEndpoint(name))
    if name not in {"", "ops@box", "a/b"}:
        with pytest.raises(UsageError, match="not a user"):
            read_settings(SSHEndpoint("box", name))


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize("host", ["box", "192.168.0.29", "fd00::29", "fe80::1%eth0", "a_b.example"])
def test_hosts_addresses_are_taken(host: str) -> None:
    assert read_settings(SSHEndpoint(host)).hostname == host


def test_without_ssh_its_defaults_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = read_settings(SSHEndpoint("box", "ops"))
    assert (found.hostname, found.user, found.port) == ("box", "ops", 22)
    assert [os.path.basename(path) for path in found.keys] == ["id_rsa", "id_ecdsa", "id_ed25519"]


def test_jump_hosts_are_taken_apart() -> None:
    chain = "a, joe@b:2200,ssh://c@[fd00::1]:44,d@fd00::2,[fd00::3],e@f@g"
    assert jump_targets(chain) == [
        SSHEndpoint("a"),
        SSHEndpoint("b", "joe", 2200),
        SSHEndpoint("fd00::1", "c", 44),
        SSHEndpoint("fd00::2", "d"),
        SSHEndpoint("fd00::3"),
        SSHEndpoint("g", "e@f"),
    ]


@given(st.text())
def test_no_chain_of_jump_hosts_is_too_strange_to_read(text: str) -> None:
    assert jump_targets(text)


@given(st.text("%ab"), st.dictionaries(st.sampled_from("ab%"), st.text("xy")))
def test_tokens_are_replaced_once_and_others_stay(text: str, tokens: dict[str, str]) -> None:
    replaced = replace_tokens(text, tokens)
    assert "%" in text or replaced == text
    assert replace_tokens("%%", {"%": "%"}) == "%"
