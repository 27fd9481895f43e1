"""The thread that waits for a disk: one job after the other, and no longer than it is wanted."""

import asyncio
import threading

import pytest

from recloser.file_thread import FileThread


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "recloser test"]


def test_jobs_are_done_in_order_by_one_thread_that_the_first_starts() -> None:
    thread, done = FileThread("recloser test"), []
    assert not threads()
    for number in range(100):
        thread.do(lambda number=number: done.append((number, threading.get_ident())))
    thread.join()
    assert [number for number, _ in done] == list(range(100))
    assert len({ident for _, ident in done} | {threading.get_ident()}) == 2


def test_it_ends_when_it_is_forgotten_and_not_before_its_jobs_are_done() -> None:
    thread, go_on, done = FileThread("recloser test"), threading.Event(), []
    thread.do(go_on.wait)
    thread.do(lambda: done.append(1))
    [running] = threads()
    assert running.daemon
    del thread
    go_on.set()
    running.join()
    assert done == [1]


@pytest.mark.spec("J2.5")
async def test_what_is_called_in_a_loop_is_called_unless_it_is_closed() -> None:
    thread, done = FileThread("recloser test"), asyncio.Event()
    thread.do_for(asyncio.get_running_loop(), lambda: None, done.set)
    await done.wait()
    closed, told = asyncio.new_event_loop(), []
    closed.close()
    thread.do_for(closed, lambda: told.append("done"), lambda: told.append("called"))
    thread.join()
    assert told == ["done"]
