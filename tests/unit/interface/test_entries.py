"""Of a list a device's change leaves what it left alone as it is stored, at bounded cost."""

from __future__ import annotations

from accord.formats.types import VCARD3
from accord.interface.server import render
from accord.model.fields import FIELDS
from accord.model.item import Contact, Mailto
from accord.model.kinds import Kind

KEEPS = frozenset(FIELDS[Kind.CONTACT])


def with_mails(*mails: Mailto) -> Contact:
    return Contact(uid="u", full_name="Ada Lovelace", mails=mails)


def test_entries_that_the_device_left_alone_stay_as_they_are() -> None:
    odd = Mailto(address="ada@example.com", type="the one that no card can say: ☎, \n and so on")
    stored = with_mails(odd, Mailto(address="b@example.com"), odd)
    seen = render.read(render.write(stored, VCARD3), VCARD3.type, Kind.CONTACT)
    assert isinstance(seen, Contact)
    first, second, third = seen.mails
    assert first != odd, "else this shows nothing"
    new = Mailto(address="c@example.com")
    given = with_mails(new, third, second, first, first)
    values = render.changed(stored, given, VCARD3, KEEPS)
    assert values["mails"] == (new, odd, stored.mails[1], odd, first)


class Counted(str):
    """Count how often addresses are compared."""

    __slots__ = ()
    asked = 0

    def __eq__(self, other: object) -> bool:
        Counted.asked += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_list_turned_round_costs_no_more_than_its_length() -> None:
    number = 1_000
    mails = [Mailto(address=f"ada{n}@example.com") for n in range(number)]
    turned = [Mailto(address=Counted(mail.address)) for mail in reversed(mails[1:])]
    values = render.changed(with_mails(*mails), with_mails(*turned), VCARD3, KEEPS)
    assert values["mails"] == tuple(reversed(mails[1:]))
    assert Counted.asked < 20 * number
