"""What people call an item, wherever it is shown; of what is private nothing is told."""

from __future__ import annotations

from datetime import datetime

import pytest

from accord.model.item import Absence, Contact, Event, Item, Mail, Mailto, Task
from accord.model.names import name_of
from accord.model.parts import Privacy
from accord.service import redaction, view

DAY = datetime(2026, 3, 2)
MAILS = (Mailto(address="rosa@rossi.example"), Mailto(address="r@home.example"))

NAMES = [
    (Contact(full_name="Dott. Rosa Rossi", given="Rosa", organization="Rossi"), "Dott. Rosa Rossi"),
    (Contact(given="Rosa", family="Rossi", organization="Rossi srl", mails=MAILS), "Rosa Rossi"),
    (
        Contact(prefix="Dr.", given="Ann", middle="Maria", family="Other", suffix="MBA"),
        "Dr. Ann Maria Other MBA",
    ),
    (Contact(organization="Rossi srl", mails=MAILS), "Rossi srl"),
    (Contact(mails=MAILS), "rosa@rossi.example"),
    (Contact(notes="somebody"), ""),
    (Absence(start=DAY, end=DAY, absence_kind="sick"), "Absent"),
    (Absence(title="Parental leave", start=DAY, end=DAY), "Parental leave"),
    (Event(title="Visit", start=DAY, end=DAY), "Visit"),
    (Event(start=DAY, end=DAY), ""),
    (Task(title="Call back"), "Call back"),
    (Mail(subject="Offer"), "Offer"),
]


@pytest.mark.parametrize(("item", "name"), NAMES)
def test_an_item_has_one_name_wherever_it_is_shown(item: Item, name: str) -> None:
    assert name_of(item) == name
    assert redaction.label_of(item) == name
    assert view.label_of(item) == (name or "(no title)")


@pytest.mark.parametrize("privacy", [Privacy.PRIVATE, Privacy.SECRET])
@pytest.mark.parametrize("mails", [(), MAILS])
def test_a_private_contact_is_called_nothing_not_even_by_its_address(
    privacy: Privacy, mails: tuple[Mailto, ...]
) -> None:
    contact = Contact(mails=mails, organization="Rossi srl", privacy=privacy)
    assert redaction.label_of(contact) == ""
    assert view.label_of(contact) == view.PRIVATE
