"""What is wrong with a machine or this computer. Changes nothing.

`machine_checks` and `this_computer` look; the other modules judge and are pure: each makes Checks of what was found.
"""
