"""Whose requests they are, where many threads share one adapter."""

from __future__ import annotations

import threading

from accord.ports.requests import Helpers, Requests


def test_each_thread_has_a_count_of_its_own() -> None:
    requests, seen = Requests(), []
    requests.count()

    def other() -> None:
        before = requests.own
        requests.count()
        requests.count()
        seen.append(requests.own - before)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [2]
    assert (requests.own, requests.all) == (1, 3)


def test_what_helpers_ask_for_is_of_whom_they_help() -> None:
    requests = Requests()
    with Helpers(3) as helpers, Helpers(1) as theirs:
        list(helpers.map(lambda _: requests.count(), range(20)))
        helpers.submit(lambda: theirs.submit(requests.count).result()).result()
        assert helpers.submit(lambda: requests.own).result() == 21
    assert requests.own == requests.all == 21
