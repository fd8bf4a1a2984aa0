"""The security model in README.md, sentence by sentence, and the tests that hold each."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from machinectl import certs
from machinectl.commands.certs.create import certs_create
from machinectl.errors import MachineError
from machinectl.hosts.identity import Identity
from machinectl.hosts.signing import made_good
from machinectl.machines.record import Machine

ROOT = Path(__file__).parents[1]
INTRODUCTION = "Each sentence is held by tests, which `tests/test_security_model.py` names."

HELD_BY: dict[str, tuple[str, ...]] = {
    INTRODUCTION: (
        "test_security_model.py::test_each_sentence_is_held_by_tests",
        "test_security_model.py::test_each_test_that_is_named_is_there",
    ),
    "**A client certificate is root.**": (
        "commands/test_certs.py::test_an_issued_client_is_let_in_and_is_told_what_it_may_do",
    ),
    "The engine has no rights per client, and takes every client that its CA has signed.": (
        "commands/test_upkeep_lab.py::test_new_certificates_are_served_and_containers_do_not_notice",
        "engine/test_real_engine.py::test_refuses_a_client_from_another_ca",
    ),
    "Docker cannot revoke one certificate: a new CA (`regenerate-certs --new-ca`) locks out all of them.": (
        "commands/test_upkeep_lab.py::test_new_certificates_are_served_and_containers_do_not_notice",
    ),
    "Each machine that is set up has a CA of its own, and so has each `certs create`: what opens one opens no other.": (
        "test_security_model.py::test_what_opens_one_machine_opens_no_other",
        "engine/test_real_engine.py::test_refuses_a_client_from_another_ca",
    ),
    "The chain and the name of the engine's certificate are always checked.": (
        "engine/test_real_engine.py::test_is_refused_where_its_ca_is_not_the_machines",
        "engine/test_real_engine.py::test_is_refused_where_its_certificate_is_for_another_name",
        "engine/test_probe.py::test_from_another_ca_of_the_same_name_is_refused",
    ),
    "TLS 1.2 is the least.": ("engine/test_probe.py::test_but_an_older_protocol_is_an_error",),
    "A self-signed certificate of the engine's own is trusted where it was given in place of a CA's, and then no other "
    "one is.": (
        "test_certs_docker.py::test_an_engines_self_signed_certificate_is_taken_as_what_is_trusted",
        "test_certs_docker.py::test_beside_an_engines_own_certificate_no_other_one_is_trusted",
    ),
    "Private keys are 0600 from their first byte, and the store is 0700: a directory of it that others can read is "
    "closed, with a warning.": (
        "commands/test_certs.py::test_create_makes_six_files_that_work_together_and_keys_that_only_the_owner_reads",
        "machines/test_store.py::test_what_is_in_the_store_is_for_its_owner_alone_whatever_the_umask",
        "commands/test_interruption.py::test_create_killed_anywhere_makes_a_whole_machine_or_none_and_can_be_run_again",
        "test_hostile_records.py::test_what_others_may_read_is_closed_and_said_but_for_what_is_not_the_stores",
    ),
    "Nothing is written to a store that another user can write to, or can replace by renaming a directory above it.": (
        "test_hostile_records.py::test_no_key_is_kept_where_everybody_may_write",
        "test_hostile_records.py::test_no_key_is_kept_where_a_group_of_several_may_write",
        "test_hostile_records.py::test_no_key_is_kept_below_what_another_user_can_rename",
    ),
    "Only root writes to another user's.": (
        "test_hostile_records.py::test_no_key_is_kept_where_another_user_may_replace_it",
    ),
    "On a host, keys and passwords are in files of root's alone.": (
        "ssh/test_files.py::test_a_file_is_readable_by_its_owner_alone_while_it_grows",
        "provision/test_steps.py::test_secrets_of_the_engines_environment_are_readable_by_root_alone",
        "provision/test_unit.py::test_secrets_of_the_environment_are_in_a_file_of_their_own_and_not_in_the_drop_in",
    ),
    "A docker context holds a copy of its machine's client key, in files and directories of yours alone: where another "
    "user could write there, none is made.": (
        "test_contexts.py::test_only_the_owner_can_read_what_is_written_whatever_the_umask_is",
        "test_contexts.py::test_a_config_that_is_a_file_another_user_s_or_open_to_all_is_refused",
        "test_contexts.py::test_no_key_is_kept_where_a_group_of_several_may_write",
    ),
    "Passwords and keys are in no argument of a program that is started for you, here or on a host: they go through "
    "stdin.": (
        "ssh/test_session.py::test_nothing_secret_is_in_an_argument_on_either_side",
        "ssh/test_connection_lab.py::test_no_password_is_in_an_argument_or_an_environment_on_either_side",
        "hosts/test_setup_lab.py::test_a_secret_is_in_no_argument_on_the_host",
        "provision/test_steps.py::test_proxies_reach_the_installation_and_no_argument_or_script_holds_them",
    ),
    "They are in no log, no `--debug` and no error.": (
        "commands/test_create_lab.py::test_what_is_asked_of_the_engine_arrives_and_no_secret_is_shown",
        "hosts/test_access.py::test_nothing_secret_is_in_its_repr",
        "test_certs.py::test_a_key_is_never_shown_with_its_pair",
        "machines/test_engine_options.py::test_a_line_that_is_no_variable_is_refused_by_its_number_and_never_shown",
    ),
    "A password to log in with, or for sudo, is kept nowhere.": (
        "commands/test_create_lab.py::test_what_is_asked_of_the_engine_arrives_and_no_secret_is_shown",
        "commands/test_create.py::test_a_secret_comes_from_a_file_or_the_variable_and_is_kept_nowhere",
    ),
    "A proxy's password is kept in the machine's record, and every verb that shows it masks it.": (
        "commands/test_inspect.py::test_no_secret_is_shown_in_any_shape",
        "commands/test_inspect.py::test_what_a_change_keeps_of_daemon_json_shows_no_secret",
    ),
    "A host's SSH key is pinned at first contact.": (
        "ssh/test_known_hosts.py::test_an_unknown_key_is_pinned_with_a_note_where_nobody_can_be_asked",
        "ssh/test_known_hosts.py::test_what_is_pinned_decides_not_what_the_user_knows",
        "ssh/test_openssh.py::test_ssh_itself_refuses_a_key_that_is_not_pinned_though_the_user_knows_it",
    ),
    "One that has changed is refused before anything is sent.": (
        "ssh/test_connect.py::test_nothing_is_sent_to_a_host_whose_key_has_changed",
        (
            "commands/test_create_lab.py::test_a_host_key_that_changes_names_both_keys_and_the_command_that_accepts_the_new"
            "_one"
        ),
    ),
    "No password for a host is sent to its jump host.": (
        "ssh/test_login.py::test_the_password_of_the_host_is_never_sent_to_its_jump_host",
    ),
    "A jump host's key is checked before anything passes through it.": (
        "ssh/test_connect.py::test_the_key_of_a_jump_host_is_checked_before_anything_passes_through_it",
        "hosts/test_jump.py::test_its_key_is_the_one_pinned_or_nothing_passes",
    ),
    "`--dry-run` changes nothing, here or there.": (
        "hosts/test_setup_lab.py::test_a_dry_run_changes_nothing_here_or_there",
        "commands/test_create.py::test_a_dry_run_makes_nothing_and_says_what_cannot_be_known_yet",
    ),
    "What provisioning changes on a host is on record before it is changed, and `rm --purge` undoes it.": (
        "hosts/test_setup.py::test_what_will_be_changed_is_on_record_before_it_is",
        "hosts/test_setup_lab.py::test_purge_leaves_the_host_as_it_was_with_its_containers_running",
        (
            "commands/test_create_lab.py::test_whatever_moment_it_is_ended_at_the_host_works_and_create_goes_on_or_is_taken"
            "_back"
        ),
    ),
    "`tcp` without TLS is for a network where everybody may be root: who registers it is warned.": (
        "cli/test_app.py::test_a_machine_without_tls_is_made_with_one_warning",
    ),
    "`ssh://` runs your own `ssh`, with its keys and checks.": (
        "engine/test_real_engine.py::test_what_stands_in_the_way_is_said",
        "engine/test_real_engine.py::test_gives_raw_answers_and_leaves_no_process",
    ),
    "What `env` prints cannot run anything, whatever is in the store or in your environment.": (
        "commands/test_env.py::test_a_hostile_store_reaches_the_shell_as_it_is_and_runs_nothing",
        "test_shell_real.py::test_every_nasty_value_comes_out_as_it_was_and_runs_nothing",
        "test_shell_real.py::test_a_hostile_command_line_in_the_hint_runs_nothing",
    ),
    "Neither can what `use`, the prompt and a Tab read there.": (
        "cli/test_use.py::test_use_sets_exactly_what_env_says_and_runs_nothing",
        "cli/test_use.py::test_a_name_in_the_environment_that_none_has_is_not_in_the_prompt",
        "cli/test_completion.py::test_tab_adds_nothing_where_nothing_is_known",
        "cli/test_completion.py::test_all_machines_are_shown_and_nothing_else",
    ),
    "A record that somebody else has made is only read: it runs nothing, gives `ssh` no option, and names no key "
    "outside of its machine.": (
        "test_hostile_records.py::test_whatever_a_record_says_each_verb_that_reads_answers_or_says_in_one_line_why_not",
        (
            "test_hostile_records.py::test_whatever_a_record_says_ssh_is_given_no_option_of_its_and_no_file_outside"
            "_the_machine"
        ),
        "test_hostile_records.py::test_what_reads_dockers_variables_and_contexts_is_handed_no_option_of_sshs",
        "test_hostile_records.py::test_a_record_names_no_key_outside_of_its_machine",
    ),
    "A link in the place of a machine's file is replaced, never written through.": (
        "test_hostile_records.py::test_a_link_in_a_machines_place_or_a_files_is_replaced_and_never_written_through",
    ),
    "What lies in the place of a record, a certificate or a key and is no regular file, or has no end, is not read.": (
        "test_strange_files.py::test_in_place_of_a_record_it_is_a_row_and_the_other_machines_still_list",
        "test_strange_files.py::test_in_place_of_a_certificate_or_key_it_is_one_line",
        "test_strange_files.py::test_in_place_of_an_ssh_key_a_pin_or_a_configuration_it_is_one_line",
    ),
    "**Who writes a fleet's file is trusted by `apply`**, which sends the files and variables that it names to the "
    "hosts that it names: read somebody else's first.": (
        "fleet/test_secrets.py::test_variables_of_an_engine_come_from_files_and_what_is_written_counts",
    ),
    "`plan` without `--refresh` asks nobody and writes nothing, and no error of a fleet's file tells what a variable, "
    "or a file with secrets, holds.": (
        "commands/test_plan.py::test_nobody_is_asked_and_nothing_is_written_without_refresh",
        "fleet/test_variables.py::test_what_a_variable_holds_is_in_no_error",
        "fleet/test_secrets.py::test_variables_of_an_engine_come_from_files_and_what_is_written_counts",
    ),
}


def sentences() -> list[str]:
    """What README.md says under its heading; a sentence ends before a capital, a code or a bold word."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Security model\n")[2].partition("\n## ")[0]
    found = []
    for paragraph in re.split(r"\n(?=- )|\n\n", text.strip()):
        found += re.split(r"(?:(?<=[.!?])|(?<=[.!?]\*\*)) (?=[A-Z`*])", " ".join(paragraph.removeprefix("- ").split()))
    return found


@cache
def defined_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_each_sentence_is_held_by_tests() -> None:
    assert sentences() == list(HELD_BY)
    assert all(HELD_BY.values())


@pytest.mark.parametrize("named", sorted({name for names in HELD_BY.values() for name in names}))
def test_each_test_that_is_named_is_there(named: str) -> None:
    file, _, test = named.partition("::")
    assert test in defined_in(file)


def test_what_opens_one_machine_opens_no_other(tmp_path: Path) -> None:
    one, other = (made_good(Machine("orion", "generic"), Identity(), ["orion"]) for _ in range(2))
    with pytest.raises(MachineError, match="is not signed by"):
        certs.client_bundle(other.ca, one.client, one.client_key)
    for name in ("one", "other"):
        certs_create(str(tmp_path / name), ["orion"])
    ca, cert, key = ((tmp_path / path).read_bytes() for path in ("other/ca.pem", "one/cert.pem", "one/key.pem"))
    with pytest.raises(MachineError, match="is not signed by"):
        certs.client_bundle(ca, cert, key)
