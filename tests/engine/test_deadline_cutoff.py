"""Connections are cut when their time is over, and not before, however many are watched."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

from machinectl.engine.dialling.deadline_cutoff import Watch

# Nobody waits for as long as that.
LONG = 60.0
MANY = 50


def test_who_is_late_is_cut_while_others_go_on() -> None:
    watch, late, other = Watch(), threading.Event(), threading.Event()
    with ExitStack() as open_:
        here, _there, patient, far = (open_.enter_context(sock) for pair in range(2) for sock in socket.socketpair())
        with watch.cutting(patient, LONG, other), watch.cutting(here, 0.01, late):
            assert here.recv(1) == b""
            far.sendall(b"x")
            assert patient.recv(1) == b"x"
    assert late.is_set()
    assert not other.is_set()


def test_who_is_done_in_time_is_not_cut_and_one_thread_watches_all() -> None:
    watch, before = Watch(), threading.active_count()
    with ExitStack() as open_:
        pairs = [socket.socketpair() for _ in range(MANY)]
        for sock in (sock for pair in pairs for sock in pair):
            open_.enter_context(sock)
        done, far = pairs[0]
        with watch.cutting(done, 0.01, threading.Event()):
            pass
        ends = [threading.Event() for _ in pairs]
        with ExitStack() as watched:
            for (here, _), end in zip(pairs[1:], ends[1:], strict=True):
                watched.enter_context(watch.cutting(here, 0.02, end))
            assert threading.active_count() <= before + 1
            for here, _ in pairs[1:]:
                assert here.recv(1) == b""
        far.sendall(b"x")
        assert done.recv(1) == b"x"
    assert all(end.is_set() for end in ends[1:])
    assert not ends[0].is_set()


def test_a_watch_that_had_nothing_to_do_for_a_while_watches_again() -> None:
    watch, before = Watch(), set(threading.enumerate())
    for _ in range(2):
        late = threading.Event()
        here, there = socket.socketpair()
        with here, there, watch.cutting(here, 0.01, late):
            assert here.recv(1) == b""
        assert late.is_set()
        # The thread ends when it finds nothing left to watch.
        for thread in set(threading.enumerate()) - before:
            thread.join()
