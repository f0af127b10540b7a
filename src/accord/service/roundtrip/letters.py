"""An e-mail's round trip: laid aside, listed, read, marked, moved there and back, deleted.

`mailbox` runs it in folders of its own; nothing is sent, and no e-mail of the mailbox is touched.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from accord.formats import mime
from accord.model.item import Mail
from accord.model.parts import Body, Person
from accord.ports.adapter import Outcome, Session, Written
from accord.ports.errors import AccordError, Denied, Gone, ItemError
from accord.ports.mailbox import Letter, LetterMaker, Mailbox, MailFolder
from accord.service.check import Checked
from accord.service.roundtrip.steps import Off, unseen
from accord.service.roundtrip.things import TEXT
from accord.service.roundtrip.traces import Trace

SUBJECT = "mail"
_RIGHTS = "give the account the right to write into this mailbox"
_CLOSED = "`accord mail` needs the right to the whole mailbox"


class Letters(Mailbox, LetterMaker, Protocol):
    """Be a session in which the trip of an e-mail can be made."""


class Trip:
    """Be the e-mail on its way: from the first of two folders into the second, and back."""

    def __init__(
        self,
        session: Letters,
        name: str,
        principal: str,
        now: datetime,
        note: Callable[..., None],
    ) -> None:
        """Lay nothing aside yet; `name` is its subject, and its folders are called so."""
        self.session = session
        self.note = note
        self.uid = f"{uuid.uuid4().hex}@accord.invalid"
        self.names = _names(name)
        self.folders: list[MailFolder] = []
        self.ref = ""
        owner = Person(address=principal)
        self.mail = Mail(
            uid=self.uid,
            subject=name,
            sent=now.replace(microsecond=0),
            sender=owner,
            to=(owner,),
            body=Body(text=TEXT),
        )

    def listed(self, folder: int) -> Letter | None:
        """Return the e-mail as the folder of this number lists it, None where it doesn't."""
        found = self.session.letters(self.folders[folder].id)
        return next((one for one in found if one.mail and one.mail.uid == self.uid), None)

    def found(self, folder: int) -> Letter:
        """Return the same, and go on with the ref that it has there; raises Off."""
        letter = self.listed(folder)
        if letter is None:
            raise Off(f"{self.folders[folder].path[-1]!r} doesn't list it")
        self.ref = letter.ref
        return letter


def steps(
    session: Session,
    name: str,
    principal: str,
    now: datetime,
    note: Callable[..., None],
    area: str,
) -> Iterator[Checked]:
    """Yield the steps of the e-mail; one without which the others make no sense is the last.

    It is called `name`, and `note` keeps its Message-ID before anything is made. Raises what
    concerns the whole mailbox.
    """
    if not isinstance(session, Mailbox) or not isinstance(session, LetterMaker):
        detail = "not offered: this kind of target has none, or can lay none aside"
        yield Checked(area=area, subject=SUBJECT, ok=True, detail=detail)
        return
    try:
        session.mail_folders()
    except ItemError as error:
        yield unseen(area, SUBJECT, error, _CLOSED)
        return
    trip = Trip(session, name, principal, now, note)
    for label, step in _STEPS.items():
        subject = f"{SUBJECT}: {label}"
        try:
            detail = step(trip)
        except Off as off:
            yield Checked(area=area, subject=subject, ok=False, detail=str(off), hint=off.hint)
            return
        except ItemError as error:
            hint = _RIGHTS if isinstance(error, Denied) else ""
            yield Checked(area=area, subject=subject, ok=False, detail=str(error), hint=hint)
            return
        else:
            yield Checked(area=area, subject=subject, ok=True, detail=detail)


def sweep(session: Session, trace: Trace) -> int:
    """Delete what a run left of its e-mail, and its folders; return how many e-mails.

    Raises what stands in the way; what is gone already is none.
    """
    if not trace.letter or not isinstance(session, Mailbox) or not isinstance(session, LetterMaker):
        return 0
    count = 0
    for folder in session.mail_folders():
        if folder.trash or folder.path[-1] not in _names(trace.name):
            continue
        found = session.letters(folder.id)
        refs = [one.ref for one in found if one.mail and one.mail.uid == trace.letter]
        for outcome in session.discard_letters(refs) if refs else ():
            if isinstance(outcome, AccordError) and not isinstance(outcome, Gone):
                raise outcome
        count += len(refs)
        session.remove_mail_folder(folder.id)
    return count


def _names(name: str) -> tuple[str, str]:
    """Return what the two folders of a run are called."""
    return name, f"{name} 2"


def _folders(trip: Trip) -> str:
    trip.note(letter=trip.uid)
    trip.folders = [trip.session.make_mail_folder(name) for name in trip.names]
    return f"{trip.names[0]}, made for this"


def _store(trip: Trip) -> str:
    trip.ref = trip.session.store_letter(trip.folders[0].id, mime.write(trip.mail).encode())
    return "laid aside, not sent"


def _list(trip: Trip) -> str:
    trip.found(0)
    return ""


def _read(trip: Trip) -> str:
    """Read the original, which servers may put together anew."""
    before = trip.found(0).read
    original = trip.session.letter(trip.ref)
    said, body = original.mail, original.mail.body
    texts = (("Message-ID", said.uid, trip.uid), ("subject", said.subject, trip.mail.subject))
    for name, there, sent in texts:
        if there != sent:
            raise Off(f"{name}: sent {sent!r}, there is {there!r:.60}")
    if body is None or body.text.split() != TEXT.split():
        raise Off("its text came back otherwise")
    if trip.found(0).read != before:
        raise Off("it was marked as read by that")
    return f"{len(original.raw):,} bytes of MIME"


def _mark(trip: Trip) -> str:
    for read in (True, False, True):
        _done(trip.session.mark_letters([trip.ref], read=read))
        if trip.found(0).read is not read:
            raise Off(f"it isn't {'read' if read else 'unread'} then")
    return "as read and as unread, without a receipt"


def _move(trip: Trip) -> str:
    for there, back in ((1, 0), (0, 1)):
        _done(trip.session.move_letters([trip.ref], trip.folders[there].id))
        trip.found(there)
        if trip.listed(back) is not None:
            raise Off("it is still where it was")
    return "into another folder and back"


def _delete(trip: Trip) -> str:
    _done(trip.session.discard_letters([trip.ref]))
    if trip.listed(0) is not None:
        raise Off("it is still there")
    return "it lies in the trash"


_STEPS: dict[str, Callable[[Trip], str]] = {
    "folders": _folders,
    "create": _store,
    "list": _list,
    "read original": _read,
    "mark": _mark,
    "move": _move,
    "delete": _delete,
}


def _done(outcomes: Sequence[Outcome]) -> Written:
    (outcome,) = outcomes
    if isinstance(outcome, AccordError):
        raise outcome
    return outcome
