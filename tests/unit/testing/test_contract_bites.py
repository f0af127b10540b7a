"""The contract suites notice faults: each planted bug makes the cases named beside it fail.

The same cases pass on the same adapter without the bug, so it is the bug that they notice.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import Phase, given, is_hypothesis_test, settings
from hypothesis import strategies as st

from accord.crm.memory import build as build_crm
from accord.groupware.memory import build
from accord.testing import CrmContract, GroupwareContract
from accord.testing.base import invented
from accord.testing.crm import RightsContract, SyncListContract
from accord.testing.files import FilesContract
from accord.testing.groupware import (
    MailContract,
    MovesContract,
    PlantContract,
    UnreadableContract,
)
from accord.testing.photos import PhotosContract
from accord.testing.place import Place, SecondSession
from accord.testing.samples import samples
from tests.contract.test_crm_memory import USERS
from tests.contract.test_crm_memory import PersonHand as CrmHand
from tests.contract.test_groupware_memory import PersonHand
from tests.unit.testing import bugs
from tests.unit.testing.bugs import Bug, Buggy

ANN = "ann@example.com"

READ_BACK = "test_read_back_equals_what_was_written_after_normalisation"
SAMPLES = "test_what_went_wrong_elsewhere_is_stored_here"
ONCE = "test_creating_twice_under_one_key_gives_one_item"
ONCE_A_BATCH = "test_one_key_twice_in_a_batch_gives_one_item"
BATCH = "test_a_batch_answers_item_by_item"
STALE = "test_a_stale_update_changes_nothing"
ECHO = "test_our_own_writes_come_back_in_the_version_we_were_told"
VERSION = "test_a_write_says_the_version_that_stands"
DELTA = "test_a_delta_names_what_was_added_edited_and_deleted"
QUIET = "test_absence_from_a_delta_is_not_a_deletion"
NOTHING = "test_nothing_changed_says_nothing_changed"
EXACT = "test_an_update_stores_exactly_the_change"
LOST = "test_an_expired_cursor_says_lost"
MISSING = "test_fetch_of_a_missing_ref_says_deleted_or_unknown"
ORDER = "test_fetch_answers_each_ask_in_order"
LOOKUP = "test_lookup_answers_each_question_in_order"
MARKED = "test_marking_changes_nothing_but_the_marker"
LEAVING = "test_leaving_the_scope_is_not_a_deletion"
LISTED = "test_an_empty_cursor_lists_everything"

FILES: list[tuple[type[Bug], tuple[str, ...]]] = [
    (bugs.FilesAreCutShort, ("test_a_file_is_read_as_it_was_hung_on",)),
    (bugs.FilesLoseTheirNames, ("test_files_keep_their_names",)),
    (bugs.AnEditTakesFilesOff, ("test_an_edit_leaves_files_alone",)),
    (bugs.OneTakenOffTakesAll, ("test_a_file_is_taken_off_once",)),
    (
        bugs.WhatIsGoneTakesFiles,
        ("test_nothing_is_hung_on_what_is_gone", "test_no_photo_is_given_to_what_is_gone"),
    ),
    (
        bugs.AFileIsNoChange,
        (
            "test_a_file_makes_the_version_in_hand_stale",
            "test_a_photo_makes_the_version_in_hand_stale",
        ),
    ),
    (bugs.PhotosLoseTheirEnds, ("test_a_photo_is_read_as_it_was_given",)),
    (bugs.TheFirstPhotoStays, ("test_another_photo_takes_its_place",)),
    (bugs.AnEditTakesThePhotoOff, ("test_an_edit_leaves_the_photo_alone",)),
    (bugs.PhotosStayForEver, ("test_a_photo_is_taken_off_once",)),
]

GROUPWARE: list[tuple[type[Bug], tuple[str, ...]]] = [
    (bugs.CreateIgnoresTheKey, (ONCE, ONCE_A_BATCH)),
    (bugs.KeyIsKnownOnlyInItsSession, (ONCE,)),
    (bugs.KeyIsForgottenWithinABatch, (ONCE_A_BATCH,)),
    (bugs.SecondCreateOverwrites, (ONCE,)),
    (bugs.EqualItemsAreOne, ("test_two_keys_give_two_items",)),
    (bugs.BatchStopsAtTheFirstError, (BATCH,)),
    (bugs.BatchRaisesItsError, (BATCH, STALE)),
    (bugs.BatchLeavesErrorsOut, ("test_a_batch_deletes_item_by_item",)),
    (bugs.EmptyBatchFails, ("test_an_empty_batch_has_no_answers",)),
    (bugs.UpdateIgnoresTheVersion, (STALE, BATCH)),
    (bugs.DeleteIgnoresTheVersion, ("test_a_stale_delete_deletes_nothing",)),
    (bugs.DeletingWhatIsGoneSucceeds, ("test_writing_what_is_gone_says_gone",)),
    (bugs.UpdateRecreatesWhatIsGone, ("test_writing_what_is_gone_says_gone", BATCH)),
    (bugs.UpdateDropsOwnFields, ("test_unknown_fields_survive_an_update",)),
    (bugs.UpdateResetsCategories, ("test_an_update_touches_only_what_changed",)),
    (bugs.UpdateNeverEmptiesAField, ("test_every_field_can_be_emptied", EXACT)),
    (bugs.UpdateSaysTheOldVersion, (VERSION,)),
    (bugs.UpdateLosesTheMarker, ("test_an_update_keeps_the_marker_or_writes_the_new_one",)),
    (bugs.MarkSaysAVersionThatNeverWas, (MARKED,)),
    (
        bugs.MarkWritesIntoTheCategories,
        (MARKED, "test_a_foreign_item_is_marked_or_left_as_it_stands"),
    ),
    (bugs.RestoreGivesANewRef, ("test_a_deleted_item_comes_back_only_under_its_own_ref",)),
    (bugs.storing(bugs.cut_title), ("test_a_text_is_cut_only_where_the_traits_say_so",)),
    (bugs.storing(bugs.a_day_late), (SAMPLES, READ_BACK)),
    (bugs.storing(bugs.no_seconds), (SAMPLES,)),
    (bugs.storing(bugs.in_utc), (SAMPLES, READ_BACK)),
    (bugs.storing(bugs.no_line_breaks), (SAMPLES,)),
    (bugs.storing(bugs.no_backslashes), (SAMPLES,)),
    (bugs.storing(bugs.own_uid), ("test_a_given_uid_is_kept_as_the_traits_say",)),
    (bugs.without("overrides"), (SAMPLES, READ_BACK)),
    (bugs.without("exdates"), (SAMPLES, READ_BACK)),
    (bugs.without("phones", "url", "priority"), (SAMPLES, READ_BACK, EXACT)),
    (bugs.TombstonesAreLost, (DELTA, "test_a_deleted_item_is_not_listed")),
    (bugs.AdditionsAreLost, (DELTA, ECHO)),
    (bugs.APageIsMissing, ("test_pages_cover_everything_once",)),
    (bugs.PagesOverlap, ("test_pages_cover_everything_once",)),
    (bugs.EveryPageSaysComplete, (LISTED,)),
    (bugs.NoPageSaysComplete, (LISTED,)),
    (bugs.EveryDeltaCursorIsTheLast, ("test_a_pull_can_go_on_from_any_page",)),
    (bugs.CursorIsTakenAtTheEnd, ("test_a_change_during_a_pull_is_not_lost",)),
    (bugs.DeletionsDuringAPullAreForgotten, ("test_a_deletion_during_a_pull_is_not_lost",)),
    (bugs.ExpiredCursorListsEverything, (LOST,)),
    (bugs.ExpiredCursorIsSilence, (LOST,)),
    (bugs.ExpiredCursorRaises, (LOST,)),
    (bugs.CursorsWorkOnce, ("test_the_same_cursor_gives_the_same_again",)),
    (
        bugs.UnchangedIsSaidOfAllThatIsKnown,
        (DELTA, "test_unchanged_is_said_only_of_the_version_we_know"),
    ),
    (bugs.ADeltaNamesEverything, (NOTHING, QUIET)),
    (bugs.WhatADeltaDoesNotNameIsDeleted, (QUIET, DELTA, NOTHING)),
    (
        bugs.APullCostsARequestForEachItem,
        ("test_a_pull_with_nothing_changed_costs_the_same_at_any_size",),
    ),
    (bugs.OnePaysForAll, ("test_requests_are_charged_to_who_has_them_made",)),
    (bugs.ListingShowsOldVersions, (ECHO, "test_fetch_and_listing_agree")),
    (bugs.FetchLeavesOutWhatIsMissing, (MISSING, ORDER)),
    (bugs.FetchAnswersInItsOwnOrder, (ORDER,)),
    (bugs.FetchRaisesForWhatIsMissing, (MISSING, ORDER)),
    (
        bugs.MovedIsSaidToBeDeleted,
        (
            "test_a_moved_item_is_found_where_it_went",
            "test_a_deleted_item_is_named_as_the_traits_say",
        ),
    ),
    (bugs.UnreadableItemsAreLeftOut, ("test_unreadable_items_are_unknown_not_missing",)),
    (bugs.UnreadableIsSaidToBeDeleted, ("test_unreadable_items_are_unknown_not_missing",)),
    (bugs.FetchShowsNoMarker, ("test_markers_and_keys_are_found_on_the_item",)),
    (bugs.LookupIgnoresTheUid, (LOOKUP,)),
    (bugs.LookupFindsOnlyTheFirst, ("test_lookup_finds_all_that_match",)),
    (bugs.LookupLeavesOutWhatItDoesNotFind, (LOOKUP,)),
    (bugs.LookupRemembersWhatWasDeleted, ("test_lookup_does_not_find_what_was_deleted",)),
    (bugs.TheClockIsAskedFor, ("test_a_clock_is_told_without_asking",)),
    (
        bugs.WhenItWasEditedIsToldOfAnyVersion,
        ("test_when_an_item_was_edited_is_told_of_its_present_version_only",),
    ),
    (bugs.ClosedSessionsAnswer, ("test_a_closed_session_refuses",)),
    (bugs.EveryCreateMails, ("test_silent_create_mails_nobody",)),
    (bugs.NothingEverMails, ("test_an_allowed_create_mails_each_attendee_once",)),
    (bugs.UpdateForgetsOtherPrograms, ("test_what_accord_has_no_field_for_survives_an_update",)),
    *FILES,
]

CRM: list[tuple[type[Bug] | type[Buggy], tuple[str, ...]]] = [
    (bugs.OutOfScopeIsSaidToBeDeleted, (LEAVING,)),
    (
        bugs.OutOfScopeIsListedAsDeleted,
        (LEAVING, "test_a_chosen_contact_comes_and_goes_without_being_deleted"),
    ),
    (bugs.TombstonesAreLost, (LEAVING, "test_a_deletion_is_told_to_everybody")),
    (bugs.DeniedIsSaidToBeDeleted, ("test_lost_rights_are_denied_not_deleted",)),
    (
        bugs.WritingNeedsNoRight,
        ("test_what_is_not_shown_is_not_written", "test_lost_rights_are_denied_not_deleted"),
    ),
    (bugs.EverybodySeesEverything, ("test_what_concerns_nobody_else_is_not_shown_to_others",)),
    (bugs.MarkersAreShared, ("test_each_user_has_a_marker_of_their_own",)),
    (bugs.AMarkIsARevision, ("test_marking_disturbs_nobody",)),
    (bugs.LostHintsAreSilence, ("test_the_feed_says_when_it_forgot",)),
    (bugs.HintsForgetWhoLeft, ("test_the_feed_names_whom_a_change_concerns",)),
    (bugs.HintsComeTwice, ("test_the_feed_names_whom_a_change_concerns",)),
    (
        bugs.AddressesAreComparedLiterally,
        ("test_users_are_known_by_any_spelling_of_their_address",),
    ),
    (bugs.AmbiguousContactsAreGuessed, ("test_contacts_are_known_unless_ambiguous",)),
    (bugs.RestoreGivesANewRef, ("test_a_deleted_item_comes_back_only_under_its_own_ref",)),
    (bugs.UpdateIgnoresTheVersion, (STALE,)),
]


class GroupwareSuite(
    GroupwareContract,
    MovesContract,
    UnreadableContract,
    PlantContract,
    MailContract,
    FilesContract,
    PhotosContract,
):
    pass


class CrmSuite(CrmContract, RightsContract, SyncListContract):
    pass


def flat(table: list[Any]) -> list[Any]:
    return [
        pytest.param(bug, case, id=f"{bug.__qualname__.split('.')[-1]}{n}-{case[5:]}")
        for n, (bug, cases) in enumerate(table)
        for case in cases
    ]


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pytest from showing in full, as it does for CI, what fails on purpose: half a minute
    for a photo that is another one.
    """
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("bug", "case"), flat(GROUPWARE))
def test_the_groupware_suite_notices(bug: type[Bug], case: str) -> None:
    failed = dict(outcomes(GroupwareSuite, case, lambda: groupware(bug)))
    passed = dict(outcomes(GroupwareSuite, case, lambda: groupware(Bug)))
    assert any(failed.values()), f"{case} did not notice {bug.__name__}"
    assert passed.keys() >= failed.keys()
    assert not any(passed.values())


@pytest.mark.parametrize(("bug", "case"), flat(CRM))
def test_the_crm_suite_notices(bug: type[Any], case: str) -> None:
    failed = dict(outcomes(CrmSuite, case, lambda: crm(bug)))
    passed = dict(outcomes(CrmSuite, case, lambda: crm(Bug)))
    assert any(failed.values()), f"{case} did not notice {bug.__name__}"
    assert not any(passed.values())


def test_enough_bugs_are_planted() -> None:
    assert len(GROUPWARE) + len(CRM) >= 12


def groupware(bug: type[Bug]) -> dict[str, Any]:
    inner = build({"page": 3, "restores": True})
    adapter: Any = Buggy(inner, bug)
    return {
        "adapter": adapter,
        "principal": ANN,
        "other_hand": PersonHand(inner, ANN),
        "mailed": lambda: [mail.to for mail in inner.outbox],
    }


def crm(bug: type[Any]) -> dict[str, Any]:
    inner = build_crm({"users": USERS, "page": 3})
    adapter: Any = Buggy(inner, bug) if issubclass(bug, Bug) else bug(inner, Bug)
    return {
        "adapter": adapter,
        "principal": "ann",
        "other_hand": CrmHand(inner, "ann"),
        "colleague": "bob",
        "colleagues_own": "bob@example.com",
    }


def outcomes(
    suite: type[Any], case: str, make: Callable[[], dict[str, Any]]
) -> Iterator[tuple[Any, BaseException | None]]:
    """Run a case as pytest would, for each kind, sample and call, until it fails."""
    method = getattr(suite, case)
    asked = set(inspect.signature(method).parameters)
    for kind in getattr(method, "only_kinds", suite.kinds):
        names: list[Any] = list(samples(kind, "")) if "sample" in asked else [None]
        for name in names:
            failure = attempt(
                suite(), method, asked, {**make(), "kind": kind, "sample": name, "call": "update"}
            )
            yield (kind, name), failure
            if failure:
                return


def attempt(
    suite: Any, method: Any, asked: set[str], known: dict[str, Any]
) -> BaseException | None:
    with ExitStack() as stack:
        adapter, kind = known["adapter"], known["kind"]
        session = stack.enter_context(adapter.open(known["principal"]))
        folder = next(f.id for f in session.folders() if kind in f.kinds)
        place = Place(session, folder, kind, adapter.traits.kinds[kind])
        known |= {"session": session, "folder": folder, "place": place, "own": ANN}
        if "theirs" in asked:
            theirs = stack.enter_context(adapter.open(known["colleague"]))
            known["theirs"] = Place(theirs, folder, kind, place.traits)
        known.setdefault("other_hand", SecondSession(adapter, known["principal"]))
        try:
            call(method, suite, {name: known[name] for name in asked - {"self"}})
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 (any failure counts)
            return error
        return None


def call(method: Any, suite: Any, given_to: dict[str, Any]) -> None:
    """Call a case; one that invents items stops at the first that fails."""
    if not is_hypothesis_test(method):
        method(suite, **given_to)
        return

    @settings(invented, phases=[Phase.generate], database=None)
    @given(data=st.data())
    def invent(data: st.DataObject) -> None:
        method.hypothesis.inner_test(suite, data=data, **given_to)

    invent()
