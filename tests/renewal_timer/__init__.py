"""Tests of machinectl.renewal."""
