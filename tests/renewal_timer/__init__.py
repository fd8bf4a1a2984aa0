"""Tests of machinectl.renewal_timer."""
