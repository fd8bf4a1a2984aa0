"""The contract's tests pass for a driver that keeps its promises, and fail for one that breaks one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

# What finds out each of the drivers in shelves.py that break a promise.
BROKEN = {
    "Forgetful": "test_a_create_that_was_cut_is_given_back_by_the_state_on_record",
    "Doubling": "test_a_create_goes_on_from_the_state_on_record_and_makes_nothing_twice",
    "Once": "test_what_was_never_made_is_given_back_without_an_error",
    "Eager": "test_a_check_and_a_preview_change_nothing",
    "Wrong": "test_what_its_preview_said_came_true",
    "Indiscreet": "test_no_secret_is_in_its_state",
    "Stuck": "test_power_is_switched_and_leaves_a_state_or_a_reason_why_not",
}


@pytest.mark.long
def test_each_broken_promise_is_found_and_a_faithful_driver_passes() -> None:
    shelves = str(Path(__file__).with_name("shelves.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:xdist", shelves]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    failed = set(re.findall(r"^FAILED .*::(\w+)\[(\w+)", done.stdout, re.MULTILINE))
    assert failed >= {(test, kind) for kind, test in BROKEN.items()}, done.stdout
    assert {kind for _, kind in failed} == set(BROKEN), done.stdout
