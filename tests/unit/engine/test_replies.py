"""The table of automatic replies, row by row: what stands, what is kept, what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.replies import (
    CHANGED,
    OVER,
    OWN,
    SWITCHED_OFF,
    UNDONE,
    Act,
    Due,
    Kept,
    decide,
)
from accord.model.replies import Replies

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
OFF = Replies(inside="before")
OLD = Replies(on=True, start=NOW - 9 * DAY, end=NOW - DAY, inside="long over")
HERS = Replies(on=True, inside="Gone fishing")
OURS = Replies(on=True, start=NOW, end=NOW + DAY, inside="away")
LONGER = Replies(on=True, start=NOW, end=NOW + 2 * DAY, inside="away longer")
DUE = Due(ref="1", absence="1 a", replies=OURS)
MOVED = Due(ref="1", absence="1 b", replies=LONGER)
SENT = Kept(absence="1 a", ref="1", before=OFF, sent=OURS)
SET = Kept(absence="1 a", ref="1", before=OFF, ours=OURS)
SENT_AGAIN = Kept(absence="1 b", ref="1", before=OFF, ours=OURS, sent=LONGER)


def left(why: str, absence: str = "1 a") -> Kept:
    return Kept(absence=absence, ref="1", why=why)


@pytest.mark.parametrize(
    ("stands", "kept", "due", "act", "replies", "after"),
    [
        # nothing is kept
        (OFF, None, None, Act.NOTHING, None, None),
        (HERS, None, None, Act.NOTHING, None, None),
        (OFF, None, DUE, Act.SET, OURS, SENT),
        (HERS, None, DUE, Act.LEAVE, None, left(OWN)),
        (OURS, None, DUE, Act.LEAVE, None, left(OWN)),
        # set by us
        (OURS, SET, DUE, Act.KEEP, None, SET),
        (OURS, SET, MOVED, Act.SET, LONGER, SENT_AGAIN),
        (OURS, SET, None, Act.RESTORE, OFF, None),
        # set by us, and changed by somebody
        (HERS, SET, DUE, Act.LEAVE, None, left(CHANGED)),
        (HERS, SET, None, Act.LEAVE, None, None),
        (Replies(), SET, DUE, Act.LEAVE, None, left(SWITCHED_OFF)),
        (OFF, SET, DUE, Act.LEAVE, None, left(SWITCHED_OFF)),
        (Replies(), left(SWITCHED_OFF), DUE, Act.LEAVE, None, left(SWITCHED_OFF)),
        (OFF, left(UNDONE), DUE, Act.LEAVE, None, left(UNDONE)),
        (HERS, left(CHANGED), DUE, Act.LEAVE, None, left(CHANGED)),
        (HERS, left(OWN), DUE, Act.LEAVE, None, left(OWN)),
        (OFF, left(OWN), DUE, Act.SET, OURS, SENT),
        (OFF, left(SWITCHED_OFF, "1 z"), DUE, Act.SET, OURS, SENT),
        (OFF, left(SWITCHED_OFF), None, Act.NOTHING, None, None),
        # a stop between keeping what is sent and knowing that it arrived
        (OFF, SENT, DUE, Act.SET, OURS, SENT),
        (Replies(), SENT, DUE, Act.LEAVE, None, left(SWITCHED_OFF)),
        (OURS, SENT, DUE, Act.KEEP, None, SET),
        (OURS, SENT, None, Act.RESTORE, OFF, None),
        (OFF, SENT, None, Act.NOTHING, None, None),
        (HERS, SENT, DUE, Act.LEAVE, None, left(OWN)),
        (LONGER, SENT_AGAIN, MOVED, Act.KEEP, None,
         Kept(absence="1 b", ref="1", before=OFF, ours=LONGER)),
        (OURS, SENT_AGAIN, MOVED, Act.SET, LONGER, SENT_AGAIN),
        # a stop between putting back and forgetting
        (OFF, SET, None, Act.NOTHING, None, None),
    ],
)  # fmt: skip
def test_row(
    stands: Replies,
    kept: Kept | None,
    due: Due | None,
    act: Act,
    replies: Replies | None,
    after: Kept | None,
) -> None:
    found = decide(stands, kept, due, NOW, Replies.__eq__)
    assert (found.act, found.replies, found.kept) == (act, replies, after)
    assert found.why or act is Act.NOTHING


def test_what_was_over_before_comes_back_switched_off() -> None:
    found = decide(OLD, None, DUE, NOW, Replies.__eq__)
    assert found.act is Act.SET
    assert found.kept is not None
    assert found.kept.before == Replies(inside="long over")


def test_what_a_visit_did_without_living_to_say_so_is_told_later() -> None:
    assert decide(OURS, SENT, DUE, NOW, Replies.__eq__).late == (OFF, OURS)
    assert decide(LONGER, SENT_AGAIN, MOVED, NOW, Replies.__eq__).late == (OURS, LONGER)
    assert decide(OURS, SET, DUE, NOW, Replies.__eq__).late is None
    over = decide(OFF, SET, None, NOW, Replies.__eq__)
    assert (over.late, over.why) == ((OURS, OFF), OVER)


REPLIES = st.sampled_from([Replies(), OFF, OLD, HERS, OURS, LONGER])
KEPT = st.none() | st.builds(
    Kept,
    absence=st.sampled_from(["1 a", "1 b"]),
    ref=st.just("1"),
    before=st.none() | REPLIES,
    ours=st.none() | REPLIES,
    sent=st.none() | REPLIES,
    why=st.sampled_from(["", OWN, CHANGED, SWITCHED_OFF, UNDONE]),
)


@given(stands=REPLIES, kept=KEPT, due=st.none() | st.sampled_from([DUE, MOVED]))
def test_what_answers_and_is_not_ours_is_never_written_over(
    stands: Replies, kept: Kept | None, due: Due | None
) -> None:
    found = decide(stands, kept, due, NOW, Replies.__eq__)
    ours = kept is not None and stands in (kept.ours, kept.sent)
    if stands.answers(NOW) and not ours:
        assert found.replies is None
    if found.act is Act.SET:
        assert found.kept is not None
        assert found.kept.sent == found.replies
        again = decide(found.replies or OFF, found.kept, due, NOW, Replies.__eq__)
        assert again.act is Act.KEEP
