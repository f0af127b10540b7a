"""Logs: a line each, in JSON where results are, and no secret or foreign word in any."""

from __future__ import annotations

import json
import logging
import threading

import pytest
import stamina

from accord.cli.call import Call
from accord.cli.logs import log_to_errors, threads_logged
from accord.cli.service import _visited
from accord.db import open_database
from accord.engine.replies import Act
from accord.model.diff import FieldChange
from accord.service.report import Replied, Report

PASSWORD = "hunter2-hunter2"
QUOTED = "Dinner with Eve"


both = pytest.mark.parametrize("as_json", [False, True], ids=["lines", "json"])


def lines(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> list[str]:
    found = capsys.readouterr().err.splitlines()
    for line in found if as_json else ():
        assert set(json.loads(line)) >= {"event", "level", "timestamp"}
    return found


@both
def test_a_secret_is_in_no_line(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_errors(verbose=True, json=as_json)
    log = logging.getLogger("accord.test")
    log.debug("test.request", extra={"url": f"https://u:{PASSWORD}@h/", "seconds": 0.5})
    log.warning("test.sign_in", extra={"password": PASSWORD, "user": "anna"})
    log.warning(
        "test.nested", extra={"given": {"client_secret": PASSWORD, "id": [f"pwd={PASSWORD}"]}}
    )
    log.error("postgresql://u:%s@h/d", PASSWORD)
    logging.getLogger("somebody.else").warning("Bearer ABC%s", PASSWORD)
    found = lines(capsys, as_json=as_json)
    assert len(found) == 5
    assert not any(PASSWORD in line for line in found)
    assert "anna" in found[1]
    assert "0.5" in found[0]


@both
def test_an_error_that_nobody_expected_is_told_by_its_name(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_errors(verbose=True, json=as_json)
    secret = PASSWORD  # a local that a rich traceback would show
    try:
        raise RuntimeError(QUOTED + secret)
    except RuntimeError:
        logging.getLogger("somebody.else").exception("Exception in ASGI application")
    text = capsys.readouterr().err
    assert "RuntimeError" in text
    assert "test_logs.py" in text, "where it was"
    assert QUOTED not in text
    assert PASSWORD not in text


@both
def test_what_ends_a_thread_is_logged_and_not_printed(
    as_json: bool, capsys: pytest.CaptureFixture[str], faults: list[str]
) -> None:
    log_to_errors(verbose=True, json=as_json)

    def end() -> None:
        raise RuntimeError(QUOTED)

    with threads_logged():
        thread = threading.Thread(target=end, name="hints-company")
        thread.start()
        thread.join()
    text = capsys.readouterr().err
    assert QUOTED not in text
    assert "hints-company" in text
    assert len(faults) == 1


@both
def test_a_line_that_can_not_be_written_is_not_printed_otherwise(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_errors(verbose=True, json=as_json)

    class Stubborn:
        def __str__(self) -> str:
            raise RuntimeError(QUOTED + PASSWORD)

    logging.getLogger("accord.test").warning("test.told", extra={"given": Stubborn(), "a": "b"})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("verbose", [False, True])
def test_that_something_is_tried_again_is_told_only_when_asked_for(
    verbose: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_errors(verbose=verbose)
    with stamina.set_testing(True, attempts=2):
        for attempt in stamina.retry_context(on=OSError):
            with attempt:
                if attempt.num == 1:
                    raise ConnectionResetError
    assert ("stamina.retry_scheduled" in capsys.readouterr().err) is verbose


def test_a_statement_that_failed_does_not_tell_what_it_was_about() -> None:
    database = open_database("sqlite:///:memory:")
    with pytest.raises(Exception, match="no such table") as caught, database.begin() as tx:
        tx.connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", (QUOTED,))
    assert QUOTED not in str(caught.value)
    database.close()


@both
def test_the_service_prints_no_text_of_a_mailbox(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where automatic replies are set, their former texts are the owner's."""
    changed = FieldChange(field="inside", before="back on Friday", after="away")
    replied = Replied(act=Act.SET, why="an absence in the CRM", fields=(changed,))
    report = Report(link="a", paired=1, replies=replied)
    _visited(Call(json=as_json), "crm", report)
    printed = capsys.readouterr().out
    assert "an absence in the CRM" in printed
    assert "Friday" not in printed
    assert "Friday" not in f"{report.as_json()}"
