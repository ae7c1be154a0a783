"""Threads in which torch computes alone. CPU, under a second."""

import threading

import pytest
import torch

from vireid.support.threads import each_alone, lone_threads


@pytest.fixture(autouse=True)
def _three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "expected"), [(None, 3), (2, 2)])
def test_as_many_threads_as_asked_compute_alone_and_afterwards_all_is_as_before(count, expected):
    together = threading.Barrier(expected, timeout=20)  # lets nobody on until so many have come

    def alone(_):
        together.wait()
        return threading.get_ident(), torch.get_num_threads()

    with lone_threads(count) as threads:
        ran = list(threads.map(alone, range(expected)))
    assert len(dict(ran)) == expected
    assert {number for _, number in ran} == {1}
    assert torch.get_num_threads() == 3
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [3]


def test_however_many_cores_there_are_sixteen_threads_share_the_work():
    torch.set_num_threads(19)
    with lone_threads() as threads:
        assert threads._max_workers == 16


def test_an_error_drops_what_has_not_begun():
    blocked, begun, waiting = threading.Event(), [], []

    def fail_behind_a_full_thread():
        with lone_threads(1) as threads:
            threads.submit(blocked.wait, 0.2)
            waiting.append(threads.submit(begun.append, 1))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_behind_a_full_thread()
    assert waiting[0].cancelled()
    assert begun == []
    assert torch.get_num_threads() == 3


def test_calls_are_made_beside_each_other_and_a_single_one_with_all_threads():
    together = threading.Barrier(2, timeout=20)

    def work(first, second):
        together.wait()
        return first - second, torch.get_num_threads()

    assert each_alone(work, [5, 7], (value for value in (1, 2))) == [(4, 1), (5, 1)]
    assert each_alone(lambda value: (value, torch.get_num_threads()), [8]) == [(8, 3)]
    assert each_alone(abs, []) == []
