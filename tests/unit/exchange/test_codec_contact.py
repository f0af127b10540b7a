"""Contacts there and back: names, numbers, addresses, days and notes."""

from __future__ import annotations

from typing import Any

import exchangelib
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.groupware.exchange.codec import contact
from accord.model.diff import changes, diff, normalise
from accord.model.item import Contact, Mailto, Phone, PostalAddress
from accord.model.kinds import Kind
from accord.model.parts import Privacy
from accord.testing.samples import samples
from accord.testing.strategies import items
from tests.unit.exchange.post import ALICE, HOME, fields_of, parsed, updated, written

ZONES = ("Europe/Zurich", "America/Los_Angeles", "Pacific/Auckland", "UTC")
ANN = Contact(
    full_name="Ann Other",
    given="Ann",
    family="Other",
    mails=(Mailto(address="ann@example.org"), Mailto(address="ann@example.net")),
    phones=(Phone(number="+49 30 1"), Phone(number="+49 171 1", features=("cell",))),
    addresses=(PostalAddress(street="Main 1", locality="Bern"),),
)


def changed(item: Contact, **values: Any) -> Contact:
    return msgspec.structs.replace(item, **values)


def there_and_back(item: Contact, home: str = HOME) -> Contact:
    sent = written(exchangelib.Contact, contact.properties(item, home=home), home)
    return contact.read(parsed(exchangelib.Contact, sent, home))


def read(text: str, home: str = HOME) -> Contact:
    return contact.read(parsed(exchangelib.Contact, f"<Contact>{text}</Contact>", home))


@settings(max_examples=100)
@given(item=items(Kind.CONTACT, ALICE))
def test_whatever_a_contact_says_is_read_back(item: Contact) -> None:
    assert changes(normalise(item, contact.traits()), there_and_back(item)) == ()


@settings(max_examples=50)
@given(one=items(Kind.CONTACT, ALICE), other=items(Kind.CONTACT, ALICE))
def test_any_change_of_a_contact_leads_to_what_is_wanted(one: Contact, other: Contact) -> None:
    before = there_and_back(one)
    sent = contact.properties(other, before, diff(before, other))
    there = parsed(exchangelib.Contact, written(exchangelib.Contact, contact.properties(one)))
    for name, value in sent.items():
        setattr(there, name, value)
    assert changes(other, contact.read(there)) == ()


@pytest.mark.parametrize("name", samples(Kind.CONTACT, ALICE))
@pytest.mark.parametrize("home", ZONES)
def test_a_named_contact_is_read_back_wherever_the_mailbox_is(name: str, home: str) -> None:
    item = samples(Kind.CONTACT, ALICE)[name]
    assert isinstance(item, Contact)
    assert changes(item, there_and_back(item, home)) == ()


def test_what_people_see_in_outlook_is_in_its_place() -> None:
    item = samples(Kind.CONTACT, ALICE)["much at once"]
    assert isinstance(item, Contact)
    sent = contact.properties(item)
    numbers = {each.label: each.phone_number for each in sent["phone_numbers"]}
    assert numbers == {
        "BusinessPhone": "+49 30 123456",
        "HomePhone": "030/98765",
        "MobilePhone": "+49 171 1234567",
        "BusinessFax": "+49 30 123457",
    }
    assert [(each.label, each.city) for each in sent["physical_addresses"]] == [
        ("Business", "Berlin"),
        ("Home", "Jena"),
    ]
    assert [each.label for each in sent["email_addresses"]] == ["EmailAddress1", "EmailAddress2"]
    assert (sent["name_prefix"], sent["generation"], sent["surname"]) == (
        "Dr.",
        "MBA",
        "Other-Größe",
    )
    assert sent["body"] == item.notes


LABELS = st.lists(
    st.sampled_from(exchangelib.indexed_properties.PhoneNumber.LABEL_CHOICES), unique=True
)


@given(labels=LABELS)
def test_numbers_of_all_labels_stay_under_their_labels(labels: list[str]) -> None:
    # The second number of a use is the first where there is no other.
    labels = [each for each in labels if not each.endswith("2") or each[:-1] in labels]
    labels.sort()
    entries = "".join(f'<Entry Key="{label}">{n}000</Entry>' for n, label in enumerate(labels))
    found = read(f"<PhoneNumbers>{entries}</PhoneNumbers>" if labels else "")
    sent = contact.properties(found)["phone_numbers"] if labels else []
    ours = {each.label: each.phone_number for each in sent}
    assert ours == {label: f"{n}000" for n, label in enumerate(labels)}


def test_more_than_there_is_room_for_is_kept() -> None:
    item = Contact(
        full_name="Ann",
        mails=tuple(Mailto(address=f"a{n}@example.org", type="other") for n in range(5)),
        phones=tuple(Phone(number=f"{n}00", features=("cell", "text")) for n in range(4)),
        addresses=(
            PostalAddress(street="Main 1", extended="Floor 2", post_office_box="7"),
            PostalAddress(type="holiday", street="Beach 1"),
            PostalAddress(type="other", street="Hut 1"),
        ),
        urls=("https://a.example", "https://b.example", "https://c.example"),
    )
    assert there_and_back(item) == item


def test_an_edit_in_outlook_beats_what_was_kept() -> None:
    item = changed(ANN, mails=(*ANN.mails, *(Mailto(address=f"a{n}@x.org") for n in range(3))))
    there = parsed(exchangelib.Contact, written(exchangelib.Contact, contact.properties(item)))
    assert contact.read(there) == item
    there.email_addresses = there.email_addresses[:1]
    assert contact.read(there).mails == ANN.mails[:1]


def test_a_contact_needs_no_name() -> None:
    for item in (
        Contact(mails=(Mailto(address="a@example.org"),)),
        Contact(organization="Acme"),
        Contact(given="Ann"),
        Contact(),
    ):
        assert contact.properties(item)["display_name"]
        assert there_and_back(item) == item


def test_an_empty_contact_is_read() -> None:
    assert read("") == Contact()


def test_what_only_exchange_says_is_understood() -> None:
    found = read(
        "<Sensitivity>Private</Sensitivity><FileAs>Other, Ann</FileAs><CompleteName>"
        "<Title>Dr.</Title></CompleteName><EmailAddresses>"
        '<Entry Key="EmailAddress1" Name="EX">/o=Acme/ou=X/cn=ann</Entry>'
        '<Entry Key="EmailAddress3" Name="ann@example.org" RoutingType="SMTP"/></EmailAddresses>'
    )
    assert (found.full_name, found.prefix, found.privacy) == ("Other, Ann", "Dr.", Privacy.PRIVATE)
    assert [each.address for each in found.mails] == ["ann@example.org"]


@pytest.mark.parametrize(
    "text",
    [
        "1970-02-28T11:59:00Z",
        "1970-02-28T00:00:00Z",
        "1970-02-27T23:00:00Z",
        "1970-02-28T12:59:00+01:00",
        "1970-02-28T00:00:00",
        "1970-02-28T11:59:00.000Z",
    ],
)
def test_a_birthday_is_understood_however_it_is_spelled(text: str) -> None:
    assert read(f"<Birthday>{text}</Birthday>").birthday == "1970-02-28"


def test_a_birthday_may_have_no_year() -> None:
    item = Contact(full_name="Ann", birthday="--02-29", anniversary="2001-06-30")
    assert there_and_back(item) == item
    assert contact.properties(item)["birthday"].isoformat() == "1604-02-29"


def test_notes_of_rich_text_are_read_as_plain_text() -> None:
    body = '<Body BodyType="HTML">&lt;p&gt;Likes &lt;b&gt;tea&lt;/b&gt;&lt;/p&gt;</Body>'
    assert read(body).notes == "Likes tea"


def test_the_photo_is_named_not_fetched() -> None:
    found = read(
        "<Attachments><FileAttachment><AttachmentId Id='AT1'/><Name>ContactPicture.jpg</Name>"
        "<IsContactPhoto>true</IsContactPhoto></FileAttachment></Attachments>"
    )
    assert found.photo is not None
    assert (found.photo.uri, found.photo.name) == ("stored:AT1", "ContactPicture.jpg")


def test_only_what_changed_is_sent() -> None:
    after = changed(ANN, nickname="Annie", phones=ANN.phones[1:])
    sent = contact.properties(after, ANN, diff(ANN, after))
    assert set(sent) == {"nickname", "phone_numbers"}
    found = fields_of(updated(exchangelib.Contact, sent))
    assert ("SetItemField", "contacts:PhoneNumber:MobilePhone") in found
    assert ("DeleteItemField", "contacts:PhoneNumber:BusinessPhone") in found
    none = contact.properties(changed(ANN, phones=()), ANN, ("phones",))
    assert none == {"phone_numbers": None}
    assert ("DeleteItemField", "contacts:PhoneNumber:Pager") in fields_of(
        updated(exchangelib.Contact, none)
    )


def test_a_name_made_of_others_follows_them() -> None:
    before = Contact(given="Ann")
    sent = contact.properties(Contact(given="Eve"), before, ("given",))
    assert (sent["given_name"], sent["display_name"]) == ("Eve", "Eve")


def test_a_number_that_finds_its_place_taken_takes_another() -> None:
    item = Contact(full_name="Ann", phones=tuple(Phone(number=f"{n}00") for n in range(1, 6)))
    sent = contact.properties(item)["phone_numbers"]
    assert {each.label: each.phone_number for each in sent} == {
        "BusinessPhone": "100",
        "BusinessPhone2": "200",
        "OtherTelephone": "300",
        "PrimaryPhone": "400",
    }
    assert there_and_back(item) == item


def test_the_address_for_letters_is_told() -> None:
    home = PostalAddress(type="home", street="Am Weg 2", preferred=True)
    item = changed(ANN, addresses=(*ANN.addresses, home))
    sent = contact.properties(item)
    assert sent["postal_address_index"] == "Home"
    assert "accord_kept" not in sent
    assert there_and_back(item) == item
