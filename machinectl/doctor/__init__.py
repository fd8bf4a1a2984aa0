"""Find faults of a machine or this computer; changes nothing.

`machine_checks` and `this_computer` collect; the other modules make Checks.
"""
