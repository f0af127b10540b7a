"""Contacts: three e-mail addresses, three postal addresses, a number for each use.

`adapter` asks for PROPERTIES, reads with `read`, and sends what `properties` returns. Notes are
the body of an Exchange contact; the photo is one of its attachments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.items import Contact as LibraryContact

from accord.groupware.exchange.codec import parts, quick
from accord.groupware.exchange.codec.kept import kept_text, with_kept
from accord.groupware.exchange.codec.mended import UtcDate
from accord.model.fields import FIELDS
from accord.model.html import to_text
from accord.model.item import Contact, Mailto, Phone, PostalAddress
from accord.model.kinds import Kind
from accord.model.parts import Attachment, Body, BodyType
from accord.model.traits import KindTraits

_NAMES = {
    "full_name": "display_name",
    "prefix": "name_prefix",
    "given": "given_name",
    "middle": "middle_name",
    "family": "surname",
    "suffix": "generation",
}
_TEXTS = {
    "nickname": "nickname",
    "organization": "company_name",
    "department": "department",
    "job_title": "job_title",
}
_WRITTEN = {
    **{name: (field,) for name, field in (_NAMES | _TEXTS).items()},
    "mails": ("email_addresses",),
    "phones": ("phone_numbers",),
    "addresses": ("physical_addresses", "postal_address_index"),
    "urls": ("business_homepage", "personal_homepage"),
    "birthday": ("birthday",),
    "anniversary": ("wedding_anniversary",),
    "notes": ("body",),
    "categories": ("categories",),
    "privacy": ("sensitivity",),
}
PROPERTIES = (
    *dict.fromkeys(name for names in _WRITTEN.values() for name in names),
    *("text_body", "attachments", "complete_name", "file_as", "has_picture"),
    *("accord_uid", "accord_kept", "accord_key", "accord_marker"),
)
"""The fields of exchangelib's Contact that are read."""

_MODEL = quick.narrowed(LibraryContact, PROPERTIES)
_FIELDS = frozenset(FIELDS[Kind.CONTACT]) - {"extras"}
_KEPT = _FIELDS - {"photo", "notes"}

_MAILS = ("EmailAddress1", "EmailAddress2", "EmailAddress3")
_PLACES = {"work": "Business", "home": "Home", "other": "Other"}

_PHONES: dict[str, tuple[str, tuple[str, ...]]] = {
    "BusinessPhone": ("work", ()),
    "BusinessPhone2": ("work", ()),
    "HomePhone": ("home", ()),
    "HomePhone2": ("home", ()),
    "OtherTelephone": ("other", ()),
    "PrimaryPhone": ("main", ()),
    "MobilePhone": ("work", ("cell",)),
    "BusinessFax": ("work", ("fax",)),
    "HomeFax": ("home", ("fax",)),
    "OtherFax": ("other", ("fax",)),
    "Pager": ("work", ("pager",)),
    "TtyTddPhone": ("work", ("text",)),
    "CompanyMainPhone": ("company", ()),
    "AssistantPhone": ("assistant", ()),
    "CarPhone": ("car", ()),
    "RadioPhone": ("radio", ()),
    "Callback": ("callback", ()),
    "Isdn": ("isdn", ()),
    "Telex": ("telex", ()),
}
"""What kind of number each label is for."""

_SPARE = ("OtherTelephone", "PrimaryPhone")
"""Where a number goes that finds its own place taken."""

_NO_YEAR = 1604
"""The year of a birthday whose year nobody knows, as phones write it to Exchange."""


def traits() -> KindTraits:
    """Return what Exchange carries of a contact; an address of a photo is none of it."""
    return KindTraits(
        fields=_FIELDS, readonly=frozenset({"photo"}), trash=True, html=False, files=True
    )


def read(item: Any, *, home: str | None = None) -> Contact:
    """Return a contact; `home` is the mailbox's zone, where no account says it."""
    found = _read(item, parts.home_of(item, home))
    return with_kept(found, item.accord_kept, _seen, _KEPT)


def properties(
    after: Contact,
    before: Contact | None = None,
    changed: Collection[str] | None = None,
    *,
    home: str = "UTC",
) -> dict[str, Any]:
    """Return the fields of exchangelib's Contact to send, None to clear.

    Without `changed` these are all of a new contact. `home` has no meaning here: days are sent
    as noon in UTC, as Outlook does.
    """
    sent = _sent(after)
    kept = kept_text(after, _seen, _KEPT)
    if changed is None:
        sent |= {"accord_uid": after.uid or None, "accord_kept": kept}
        return {name: value for name, value in sent.items() if value is not None}
    names = {name for field in changed for name in _WRITTEN.get(field, ())}
    if before is None or sent["display_name"] != _sent(before)["display_name"]:
        names |= {"display_name"}  # it may be made of other fields
    if before is None or kept != kept_text(before, _seen, _KEPT):
        sent["accord_kept"] = kept
        names |= {"accord_kept"}
    return {name: sent[name] for name in sent if name in names}


def _seen(contact: Contact) -> Contact:
    """Return a contact as it would be read back from Exchange alone."""
    return _read(_MODEL(**_sent(contact)), "UTC")


# ---- reading ----


def _read(item: Any, home: str) -> Contact:
    names: dict[str, Any] = {
        name: parts.text_of(getattr(item, field)) for name, field in (_NAMES | _TEXTS).items()
    }
    complete = item.complete_name
    if complete is not None:
        names["prefix"] = names["prefix"] or parts.text_of(complete.title)
    composed = _composed(names[name] for name in _NAMES)
    names["full_name"] = names["full_name"] or parts.text_of(item.file_as) or composed
    return Contact(
        uid=str(item.accord_uid or ""),
        **names,
        mails=_mails(item),
        phones=_phones(item),
        addresses=_addresses(item),
        urls=tuple(filter(None, (item.business_homepage, item.personal_homepage))),
        birthday=_date_text(item.birthday, home),
        anniversary=_date_text(item.wedding_anniversary, home),
        notes=_notes(item),
        photo=_photo(item),
        categories=parts.categories_of(item),
        privacy=parts.privacy_of(item),
    )


def _composed(names: Iterable[str]) -> str:
    return " ".join(filter(None, names))


def _mails(item: Any) -> tuple[Mailto, ...]:
    given = {each.label: each.email for each in item.email_addresses or () if each.email}
    ordered = [given[label] for label in _MAILS if label in given]
    return tuple(Mailto(address=str(each)) for each in ordered if not parts.is_directory(each))


def _phones(item: Any) -> tuple[Phone, ...]:
    given = {each.label: each.phone_number for each in item.phone_numbers or ()}
    found = []
    for label, number in given.items():
        kind, features = _PHONES.get(str(label), ("other", ()))
        if number:
            found.append(Phone(number=str(number), type=kind, features=features))
    return tuple(found)


def _addresses(item: Any) -> tuple[PostalAddress, ...]:
    types = {label: kind for kind, label in _PLACES.items()}
    found = []
    for each in item.physical_addresses or ():
        values = {
            "street": parts.text_of(each.street),
            "locality": parts.text_of(each.city),
            "region": parts.text_of(each.state),
            "postcode": parts.text_of(each.zipcode),
            "country": parts.text_of(each.country),
        }
        if any(values.values()):
            preferred = item.postal_address_index == each.label
            kind = types.get(str(each.label), "other")
            found.append(PostalAddress(type=kind, preferred=preferred, **values))
    return tuple(found)


def _date_text(value: Any, home: str) -> str:
    found = parts.day_of(value, home)
    if found is None:
        return ""
    return f"--{found:%m-%d}" if found.year == _NO_YEAR else found.date().isoformat()


def _notes(item: Any) -> str:
    body = parts.body_of(item)
    if body is None:
        return ""
    if body.type is BodyType.HTML:
        return parts.text_of(item.text_body).strip() or to_text(body.text)
    return body.text


def _photo(item: Any) -> Attachment | None:
    pictures = [each for each in item.attachments or () if getattr(each, "is_contact_photo", False)]
    return parts.attachment_of(pictures[0]) if pictures else None


# ---- writing ----


def _sent(contact: Contact) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for name, field in (_NAMES | _TEXTS).items():
        sent[field] = parts.sent_text(getattr(contact, name), parts.SHORT)
    sent["display_name"] = sent["display_name"] or _called(contact)
    web = [parts.sent_text(each) for each in contact.urls[:2]] + [None, None]
    preferred = [each.type for each in contact.addresses if each.preferred]
    return {
        **sent,
        "email_addresses": _sent_mails(contact) or None,
        "phone_numbers": _sent_phones(contact.phones) or None,
        "physical_addresses": _sent_addresses(contact.addresses) or None,
        "postal_address_index": _PLACES.get(preferred[0], "None") if preferred else "None",
        "business_homepage": web[0],
        "personal_homepage": web[1],
        "birthday": _sent_date(contact.birthday),
        "wedding_anniversary": _sent_date(contact.anniversary),
        "body": parts.sent_body(Body(text=contact.notes)),
        "categories": parts.sent_categories(contact.categories),
        "sensitivity": parts.sent_privacy(contact.privacy),
    }


def _called(contact: Contact) -> str:
    """Return what a contact is called that has no full name: Exchange wants one."""
    names = (contact.prefix, contact.given, contact.middle, contact.family, contact.suffix)
    mails = [each.address for each in contact.mails]
    called = _composed(names) or contact.organization or next(iter(mails), "")
    return parts.sent_text(called, parts.SHORT) or "-"


def _sent_mails(contact: Contact) -> list[Any]:
    given = [text for each in contact.mails if (text := parts.sent_text(each.address))]
    pairs = zip(_MAILS, given, strict=False)
    return [EmailAddress(label=label, email=address) for label, address in pairs]


def _sent_phones(phones: Iterable[Phone]) -> list[Any]:
    """Give each number the label of its use; those that find none go without."""
    taken: dict[str, str] = {}
    for each in phones:
        number = parts.sent_text(each.number)
        wanted = [label for label in _labels(each) if label not in taken]
        if number and wanted:
            taken[wanted[0]] = number
    return [
        PhoneNumber(label=label, phone_number=taken[label]) for label in _PHONES if label in taken
    ]


def _labels(phone: Phone) -> list[str]:
    """Return the labels for a number, the fittest first."""
    features = set(phone.features) - {"voice"}
    exact = [
        x for x, (kind, given) in _PHONES.items() if (kind, set(given)) == (phone.type, features)
    ]
    if features:
        return exact + [x for x, (_, given) in _PHONES.items() if features & set(given)]
    return [*exact, *_SPARE]


def _sent_addresses(addresses: Iterable[PostalAddress]) -> list[Any]:
    taken: dict[str, PostalAddress] = {}
    for each in addresses:
        label = _PLACES.get(each.type, "Other")
        if label not in taken:
            taken[label] = each
    return [_sent_address(label, taken[label]) for label in sorted(taken)]


def _sent_address(label: str, address: PostalAddress) -> Any:
    lines = (address.extended, address.street, address.post_office_box)
    return PhysicalAddress(
        label=label,
        street=parts.sent_text("\n".join(filter(None, lines))),
        city=parts.sent_text(address.locality),
        state=parts.sent_text(address.region),
        zipcode=parts.sent_text(address.postcode),
        country=parts.sent_text(address.country),
    )


def _sent_date(text: str) -> Any:
    """Return the day of a date; a birthday without its year gets one that says so."""
    full = re.sub("^--", f"{_NO_YEAR}-", text)
    try:
        return UtcDate.from_date(date.fromisoformat(full)) if full else None
    except ValueError:
        return None
