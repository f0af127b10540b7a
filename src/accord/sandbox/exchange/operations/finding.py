"""FindItem: pages, restrictions, orders and the calendar view."""

from __future__ import annotations

from datetime import timedelta

from accord.sandbox.exchange import find, series
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.properties import view
from accord.sandbox.exchange.shapes import UNLISTED, ShapeWanted, wanted
from accord.sandbox.exchange.store import Folder, Item
from accord.sandbox.exchange.xml import Node, child, flag, m, moment, t

_ALL = 2**31
_WIDEST = timedelta(days=731)


def find_item(call: Call, request: Node) -> Node:
    """Answer the items of some folders, page by page."""
    parents = child(request, "ParentFolderIds")
    assert parents is not None
    calendar = child(request, "CalendarView")

    def work(named: Node) -> list[Node]:
        shape = wanted(request[0])
        if shape.mime or any(each.name in UNLISTED - _QUIET for each in shape.paths):
            raise EwsError("ErrorInvalidPropertyForOperation")
        folder = call.folder(named)
        if request.get("Traversal") != "Shallow":
            return [_answer(call, [], shape, 0, 0, last=True)]
        if calendar is not None:
            return [_in_calendar(call, folder, calendar, shape)]
        return [_page(call, request, folder, shape)]

    return batch(call, parents, work)


_QUIET = UNLISTED - {"MimeContent", "Body", "TextBody", "UniqueBody", "NormalizedBody"}
"""What lists leave out without complaint."""


def _page(call: Call, request: Node, folder: Folder, shape: ShapeWanted) -> Node:
    restriction, order = child(request, "Restriction"), child(request, "SortOrder")
    limit = call.limits.found or _ALL
    if restriction is not None:
        limit = min(limit, call.limits.searched or _ALL)
    start, most, from_end = _window(request, limit)
    if restriction is None and order is None:
        total = call.store.count_items(folder.id)
        first, count = _place(start, most, total, from_end=from_end)
        found = call.store.items(
            "folder = ? ORDER BY id DESC LIMIT ? OFFSET ?", folder.id, count, first
        )
    else:
        if restriction is not None:
            every = find.matching(call, folder, restriction)
        else:
            every = call.store.items("folder = ? ORDER BY id DESC", folder.id)
        if order is not None:
            every = find.in_order(call, every, order)
        total = len(every)
        first, count = _place(start, most, total, from_end=from_end)
        found = every[first : first + count]
    end = start + len(found)
    return _answer(call, found, shape, end, total, last=end >= total)


def _window(request: Node, limit: int) -> tuple[int, int, bool]:
    page = child(request, "IndexedPageItemView")
    if page is None:
        return 0, limit, False
    most = min(int(page.get("MaxEntriesReturned", limit)), limit)
    start = int(page.get("Offset", "0"))
    if most < 1 or start < 0:
        raise EwsError("ErrorInvalidPagingMaxRows", "The page is not valid.")
    return start, most, page.get("BasePoint") == "End"


def _place(start: int, most: int, total: int, *, from_end: bool) -> tuple[int, int]:
    if not from_end:
        return start, most
    last = max(total - start, 0)
    first = max(last - most, 0)
    return first, last - first


def _in_calendar(call: Call, folder: Folder, asked: Node, shape: ShapeWanted) -> Node:
    start, end = (moment(asked.get(each, ""), call.zone) for each in ("StartDate", "EndDate"))
    if not (folder.kind or "").startswith("IPF.Appointment"):
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView")
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - start > _WIDEST:
        raise EwsError("ErrorCalendarViewRangeTooBig")
    limit = call.limits.found or _ALL
    most = min(int(asked.get("MaxEntriesReturned", limit)), limit)
    first, last = int(start.timestamp()), int(end.timestamp())
    found: list[Item] = []
    for item in call.store.items(
        "folder = ? AND first < ? AND (last > ? OR (last = first AND last = ?))",
        *(folder.id, last, first, first),
    ):
        held = series.of(call.store, item)
        found += [item] if held is None else held.between(first, last)
    found.sort(key=lambda each: (each.first, each.id, each.original))
    shown = found[:most]
    return _answer(call, shown, shape, None, len(shown), last=len(found) <= most)


def _answer(
    call: Call, found: list[Item], shape: ShapeWanted, end: int | None, total: int, *, last: bool
) -> Node:
    items = t("Items", *[view(call, each, shape, listing=True) for each in found])
    attributes = {"TotalItemsInView": str(total), "IncludesLastItemInRange": flag(last)}
    if end is not None:
        attributes["IndexedPagingOffset"] = str(end)
    return m("RootFolder", items, **attributes)
