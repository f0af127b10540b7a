"""What Exchange's response codes and HTTP statuses make us do."""

from __future__ import annotations

import re

import pytest

from accord.groupware.exchange.errors import (
    CODES,
    STATUSES,
    WAITS,
    error_for,
    of_folder,
    of_request,
    status_error,
)
from accord.ports import errors
from accord.ports.http import Told
from tests.unit.sandbox.ews_table import FOLDER


def known_codes() -> set[str]:
    """Return all values of the schema's ResponseCodeType."""
    text = (FOLDER / "messages.xsd").read_text(encoding="utf-8-sig")
    inside = text.partition('<xs:simpleType name="ResponseCodeType">')[2]
    inside = inside.partition("</xs:simpleType>")[0]
    return set(re.findall(r'enumeration value="(\w+)"', inside))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="Microsoft's schema is not at hand")
def test_all_codes_of_the_table_are_codes_of_the_schema() -> None:
    known = known_codes()
    assert len(known) > 400
    assert set(CODES) <= known
    assert set(WAITS) <= set(CODES)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="Microsoft's schema is not at hand")
def test_no_code_that_is_not_understood_means_that_something_is_gone() -> None:
    for code in known_codes() - set(CODES):
        assert not isinstance(error_for(code, "", "x"), errors.Gone | errors.Stale | errors.Denied)


@pytest.mark.parametrize(
    ("code", "react"),
    [
        ("ErrorItemNotFound", errors.Gone),
        ("ErrorIrresolvableConflict", errors.Stale),
        ("ErrorInvalidSyncStateData", errors.CursorExpired),
        ("ErrorServerBusy", errors.Retry),
        ("ErrorMailboxMoveInProgress", errors.Retry),
        ("ErrorMailboxStoreUnavailable", errors.Retry),
        ("ErrorQuotaExceeded", errors.Retry),
        ("ErrorAccountDisabled", errors.ConfigError),
        ("ErrorNonExistentMailbox", errors.ConfigError),
        ("ErrorImpersonateUserDenied", errors.ConfigError),
        ("ErrorAccessDenied", errors.Denied),
        ("ErrorPasswordExpired", errors.AuthFailed),
        ("ErrorFolderNotFound", errors.ConfigError),
        ("ErrorCorruptData", errors.Rejected),
        ("ErrorNobodyEverHeardOfThis", errors.Retry),
        ("ErrorInvalidSomethingNew", errors.Rejected),
    ],
)
def test_each_code_has_its_reaction(code: str, react: type[Exception]) -> None:
    found = error_for(code, "Because.\n  So.", "GetItem")
    assert isinstance(found, react)
    assert found.code == code
    assert "GetItem" in str(found)
    assert "Because. So." in str(found)


def test_states_of_a_mailbox_are_told_apart_in_words() -> None:
    codes = (
        "ErrorMailboxMoveInProgress",
        "ErrorMailboxStoreUnavailable",
        "ErrorQuotaExceeded",
        "ErrorAccountDisabled",
        "ErrorNonExistentMailbox",
        "ErrorImpersonateUserDenied",
        "ErrorAccessDenied",
    )
    words = {CODES[code][1] for code in codes}
    assert len(words) == len(codes)
    for code in ("ErrorAccountDisabled", "ErrorNonExistentMailbox", "ErrorImpersonateUserDenied"):
        found = error_for(code, "", "x")
        assert isinstance(found, errors.ConfigError)
        assert found.hint
        assert found.field in ("principal", "access")


def test_the_servers_own_word_on_waiting_counts() -> None:
    found = error_for("ErrorServerBusy", "", "x", backoff=297.5)
    assert isinstance(found, Told)
    assert found.after == 297.5
    later = status_error(503, {"retry-after": "120"}, "x")
    assert isinstance(later, Told)
    assert later.after == 120.0


@pytest.mark.parametrize("status", [100, 201, 207, 304])
def test_what_no_exchange_server_answers_refuses_no_item(status: int) -> None:
    assert isinstance(status_error(status, {}, "x"), errors.Retry)


@pytest.mark.parametrize("status", [*STATUSES, 500, 502, 418])
def test_no_status_means_that_something_was_deleted(status: int) -> None:
    found = status_error(status, {}, "x")
    assert not isinstance(found, errors.Gone | errors.Stale)
    assert str(status) in str(found)


def test_what_concerns_a_folder_says_nothing_of_its_items() -> None:
    for code in ("ErrorItemNotFound", "ErrorAccessDenied", "ErrorInvalidIdMalformed"):
        found = of_folder(error_for(code, "", "x"))
        assert isinstance(found, errors.ConfigError)
        assert found.field == "folder"
        assert found.hint
    lost = error_for("ErrorInvalidSyncStateData", "", "x")
    assert of_folder(lost) is lost


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("ErrorMailboxMoveInProgress", "moving"),
        ("ErrorNonExistentMailbox", "moved"),
        ("ErrorAccountDisabled", "disabled"),
        ("ErrorMailboxLogonFailed", "disabled"),
        ("ErrorQuotaExceeded", "over quota"),
        ("ErrorImpersonateUserDenied", "no permission"),
        ("ErrorServerBusy", ""),
        ("ErrorItemNotFound", ""),
        ("ErrorAccessDenied", ""),  # of one item, nothing is known of the mailbox
    ],
)
def test_states_of_a_mailbox_have_names(code: str, state: str) -> None:
    assert error_for(code, "", "GetItem").state == state


def test_access_denied_to_a_folder_or_a_request_closes_the_mailbox() -> None:
    denied = error_for("ErrorAccessDenied", "", "GetFolder")
    assert of_folder(denied).state == of_request(denied).state == "no permission"
    assert status_error(456, {}, "GetFolder").state == "disabled"
