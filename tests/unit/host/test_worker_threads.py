"""Threads that do one piece of work after another."""

from __future__ import annotations

import queue
import threading

from envctl.host.worker_threads import Crew


def test_pieces_at_once_have_a_thread_each_and_later_ones_are_done_by_the_same():
    crew, done, threads = Crew(), queue.SimpleQueue[int](), set()
    together = threading.Barrier(3, timeout=20)

    def work(number: int) -> None:
        threads.add(threading.current_thread())
        if number < 3:
            together.wait()
        done.put(number)

    for number in range(3):
        crew.do(lambda number=number: work(number), busy=number + 1)
    assert {done.get(timeout=20) for _ in range(3)} == {0, 1, 2}
    for number in range(3, 100):
        crew.do(lambda number=number: work(number), busy=1)
        assert done.get(timeout=20) == number

    assert len(threads) == 3


def test_who_is_dismissed_ends_after_what_was_given():
    crew, go, done = Crew(), threading.Event(), queue.SimpleQueue[threading.Thread]()

    def work() -> None:
        go.wait(20)
        done.put(threading.current_thread())

    crew.do(work, busy=1)
    crew.dismiss()
    go.set()
    member = done.get(timeout=20)
    member.join(20)

    assert not member.is_alive()
