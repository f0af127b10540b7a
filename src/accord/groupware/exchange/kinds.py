"""What each kind is called on Exchange, and which codec reads and writes it.

Codecs load exchangelib, so they are looked up when first needed, not imported.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct

from accord.groupware.exchange import trees
from accord.model.kinds import Kind


class Form(Struct, frozen=True):
    """Be one kind's names: of items, of folders, of the person's own folder, of the codec."""

    element: str
    folder: str
    folder_class: str
    role: str
    codec: str


FORMS = {
    Kind.EVENT: Form("CalendarItem", "CalendarFolder", "IPF.Appointment", "calendar", "event"),
    Kind.TASK: Form("Task", "TasksFolder", "IPF.Task", "tasks", "task"),
    Kind.CONTACT: Form("Contact", "ContactsFolder", "IPF.Contact", "contacts", "contact"),
}


# Shared: the folders of thousands of mailboxes are kept, and most of them hold nothing of ours.
_NOTHING: frozenset[Kind] = frozenset()
_OF_CLASS = {form.folder_class.casefold(): frozenset({kind}) for kind, form in FORMS.items()}


def of_class(folder_class: str) -> frozenset[Kind]:
    """Return what a folder of this class holds; classes derived from ours belong to programs."""
    return _OF_CLASS.get(folder_class.casefold(), _NOTHING)


@cache
def codec(kind: Kind) -> Any:
    """Return the codec of a kind; raises ConfigError where exchangelib isn't installed."""
    trees.loaded()
    return import_module(f"accord.groupware.exchange.codec.{FORMS[kind].codec}")


def model(kind: Kind) -> Any:
    """Return exchangelib's class for items of a kind."""
    return getattr(trees.loaded(), FORMS[kind].element)


@cache
def narrowed(kind: Kind) -> Any:
    """Return that class with no other fields than the codec's: all of them would cost more time."""
    quick = import_module("accord.groupware.exchange.codec.quick")
    return quick.narrowed(model(kind), codec(kind).PROPERTIES)
