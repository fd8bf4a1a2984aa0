from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import Hint
from machinectl.fleet.key_values import expand_variables
from machinectl.fleet.yaml_nodes import Hidden
from machinectl.machines.engine_options import EngineOptions
from machinectl.ssh.ssh_errors import LONGEST, SSHError
from tests.support.fleet_file import HOST, fault_of, only


def test_variables_are_filled_in_and_are_never_yaml() -> None:
    environment = {"PORT": "2222", "YAML": "{a: b} # *c", "NULL": "null", "WAY": "distro", "MORE": "${PORT}"}
    host = only(
        """\
        defaults: {driver: "${KIND:-generic}", labels: {b: a$$b$c}}
        hosts:
          orion:
            ip-address: ${HOST:-192.168.0.}${LAST:-29}
            ssh-port: ${PORT}
            engine-install: ${WAY}
            engine-opt: ['${YAML}', '${MORE}']
            labels: {a: "${NULL}"}
        """,
        environment=environment,
    )
    assert host.spec.options["generic-ip-address"] == "192.168.0.29"
    assert host.spec.options["generic-ssh-port"] == 2222
    assert host.spec.engine == EngineOptions(install="distro", options=("{a: b} # *c", "${PORT}"))
    assert host.spec.labels == {"a": "null", "b": "a$b$c"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ssh-user: '${NOPE}'", "ssh-user: ${NOPE} is not set: export NOPE, or write ${NOPE:-text}"),
        ("ssh-user: '${1}'", "ssh-user: a ${…} is not valid: write ${NAME} or ${NAME:-text}"),
        ("ssh-port: '${SECRET}'", "ssh-port is a whole number, this is '${SECRET}'"),
        ("mac: '${SECRET}'", "mac: the value of '${SECRET}' is not valid"),
        ("copy-key: '${SECRET}'", "copy-key is true or false, this is '${SECRET}'"),
        (
            "engine-install: '${SECRET}'",
            "engine-install: '${SECRET}' is not one of auto, docker, distro, none",
        ),
        ("engine-env: ['${SECRET}']", "engine-env: the value of '${SECRET}' is not valid"),
        ("groups: ['${SECRET}']", "unknown group '${SECRET}'"),
        ("driver: '${SECRET}'", 'Driver "${SECRET}" not found'),
        ("ssh-jump: '${SECRET}'", "ssh-jump: '${SECRET}' is neither a host of this file nor a machine"),
        ("ssh-jump: 'ops@${SECRET}@'", "ssh-jump: the value of 'ops@${SECRET}@' is not valid"),
    ],
)
def test_what_a_variable_holds_is_in_no_error(options: str, said: str) -> None:
    found = fault_of(f"{HOST}, {options}")
    assert found.startswith(said)
    assert "geheim" not in found


def test_of_a_value_that_an_error_is_cut_off_within_nothing_is_shown() -> None:
    value = "geheim" * LONGEST
    hidden = Hidden()
    hidden.add(value, "${SECRET}")
    error = SSHError(f"{value}@192.0.2.7 refuses it", Hint("Try", f"ssh -l {value}"))
    hidden.conceal(error)
    assert (error.cause, error.hint) == ("${SECRET}…", "Try: ssh -l ${SECRET}…")
    assert hidden.without("Waiting for gehennas …") == "Waiting for gehennas …"


ENVIRONMENT = {"A": "a", "EMPTY": "", "_B1": "b", "DOLLAR": "${A}$$"}


@pytest.mark.parametrize(
    ("text", "comes_to"),
    [
        ("plain", "plain"),
        ("${A}", "a"),
        ("x${A}y${_B1}z", "xaybz"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${NOPE-x}", "x"),
        ("${NOPE:-x}", "x"),
        ("${NOPE:-}", ""),
        ("${NOPE:-a b:-c}", "a b:-c"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("$$${A}", "$a"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("pa$word", "pa$word"),
        ("${DOLLAR}", "${A}$$"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, comes_to: str) -> None:
    assert expand_variables(text, ENVIRONMENT, {}) == comes_to


@given(st.text())
def test_a_text_with_its_dollars_doubled_is_what_it_was(text: str) -> None:
    assert expand_variables(text.replace("$", "$$"), {}, {}) == text


@given(st.text(), st.text(), st.text())
def test_what_a_variable_holds_is_filled_in_as_it_is(before: str, value: str, after: str) -> None:
    text = f"{before.replace('$', '$$')}${{A}}{after.replace('$', '$$')}"
    assert expand_variables(text, {"A": value}, {}) == f"{before}{value}{after}"
