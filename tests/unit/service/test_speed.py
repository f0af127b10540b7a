"""How long changes take: counted by classes, added up over processes, told as quantiles."""

from __future__ import annotations

from accord.service.report import Report
from accord.service.run import Visited
from accord.service.speed import BOUNDS, HOURS, LATELY, Speed, by_class, class_of, speed
from accord.service.tally import Tally


def took(*seconds: float | None) -> list[Visited]:
    return [Visited(cause="hint", reports=(), target="mail", took=each) for each in seconds]


def test_each_time_has_its_class() -> None:
    times = (0.0, 0.5, 0.51, 5, 3600, 3601)
    assert [class_of(each) for each in times] == ["0.5", "0.5", "1", "5", "3600", "+Inf"]
    counts = {f"{LATELY}.{class_of(each)}": 1 for each in (0.1, 4, 9999)}
    assert by_class(counts, LATELY) == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_quantiles_over_all_processes() -> None:
    assert speed([]) is None
    assert speed([{"requests": 3}]) is None
    some = [{"lately.1": 60, "requests": 3}, {"lately.1": 30, "lately.10": 10, "heard.3600": 999}]
    assert speed(some) == Speed(count=100, p50=0.78, p95=7.5)
    assert speed([{"lately.0.5": 1}]) == Speed(count=1, p50=0.25, p95=0.47)
    assert speed([{"lately.+Inf": 2}]) == Speed(count=2, p50=BOUNDS[-1], p95=BOUNDS[-1])


def test_a_process_counts_since_its_start_and_of_late() -> None:
    now = [10_000.0]
    tally = Tally(lambda: now[0])
    for each in took(0.2, 4.0, None):
        tally.take(each)
    found = tally.figures()["mail"]
    assert (found["heard.0.5"], found["heard.5"], found["heard_milliseconds"]) == (1, 1, 4200)
    assert (found["lately.0.5"], found["lately.5"]) == (1, 1)
    now[0] += HOURS * 3600
    for each in took(0.2):
        tally.take(each)
    found = tally.figures()["mail"]
    assert (found["heard.0.5"], found["heard.5"]) == (2, 1)
    assert found["lately.0.5"] == 1
    assert "lately.5" not in found
    tally.take(Visited(cause="hint", reports=(Report(link="a"),), target="mail"))
    assert tally.figures()["mail"]["visits.done"] == 1
