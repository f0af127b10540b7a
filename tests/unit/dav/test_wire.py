"""Answers in XML: what is trusted, what is refused, what counts as which place."""

from __future__ import annotations

import pytest
from lxml import etree

from accord.groupware.dav import wire
from accord.groupware.dav.hrefs import origin, ref_of, tidy
from accord.ports.errors import Retry
from tests.unit.dav.server import XMLNS, found, multistatus, refused

HOME = "https://dav.test"

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<D:multistatus xmlns:D="DAV:"><D:sync-token>&d;</D:sync-token></D:multistatus>"""
EXTERNAL = """<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<D:multistatus xmlns:D="DAV:"><D:sync-token>&e;</D:sync-token></D:multistatus>"""


def read(text: str | bytes, base: str = "/cal/") -> wire.Multistatus:
    return wire.read_multistatus(text.encode() if isinstance(text, str) else text, base, HOME)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        EXTERNAL,
        BOMB.encode("utf-16"),
        "<!-- x -->" + EXTERNAL,
        "",
        "no xml at all",
        "<html><body>Please sign in</body></html>",
        "<!DOCTYPE html><html></html>",
        '<D:multistatus xmlns:D="DAV:"><D:response>',
        "<multistatus/>",
        b"\xff\xfe\x00",
        '<?xml version="1.0" encoding="no-such"?><D:multistatus xmlns:D="DAV:"/>',
    ],
)
def test_what_is_no_whole_multistatus_is_a_retry_and_never_an_empty_answer(
    text: str | bytes,
) -> None:
    with pytest.raises(Retry):
        read(text)


def test_every_cut_of_an_answer_is_noticed() -> None:
    whole = multistatus(found("/cal/a.ics", "<D:getetag>1</D:getetag>"), token="t").content
    assert read(whole).entries[0].text(wire.ETAG) == "1"
    for cut in range(len(whole)):
        with pytest.raises(Retry):
            read(whole[:cut])


def test_entities_in_attributes_are_refused_too() -> None:
    text = BOMB.replace("<D:sync-token>&d;", '<D:sync-token x="&d;">')
    with pytest.raises(Retry, match="plain XML"):
        read(text)


def test_a_document_type_inside_a_text_is_content() -> None:
    props = "<C:calendar-data><![CDATA[<!DOCTYPE html>]]></C:calendar-data>"
    (entry,) = read(multistatus(found("/cal/a.ics", props)).content).entries
    assert entry.text(wire.CALENDAR_DATA) == "<!DOCTYPE html>"


def test_too_many_tags_are_refused_before_a_tree_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TAGS", 100)
    with pytest.raises(Retry) as caught:
        read(multistatus(*[refused(f"/cal/{n}", 404) for n in range(50)]).content)
    assert caught.value.code == "too-large"


def test_a_text_of_many_megabytes_is_read() -> None:
    photo = "A" * 20_000_000
    props = f"<A:address-data>{photo}</A:address-data>"
    (entry,) = read(multistatus(found("/card/a.vcf", props)).content).entries
    assert len(entry.text(wire.ADDRESS_DATA)) == 20_000_000


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Retry):
        read(f"<D:multistatus {XMLNS}>" + "<D:x>" * 100_000 + "</D:x>" * 100_000)


def test_statuses_are_told_apart_item_by_item() -> None:
    conditions = "<D:error><D:need-privileges/></D:error>"
    both = (
        "<D:href>/cal/c.ics</D:href>"
        "<D:propstat><D:prop><D:getetag>3</D:getetag></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        "<D:propstat><D:prop><C:calendar-data/></D:prop>"
        "<D:status>HTTP/1.1 403 Forbidden</D:status></D:propstat>"
    )
    one, two, three = read(
        multistatus(
            refused("/cal/a.ics", 404), refused("/cal/b.ics", 403, conditions), both
        ).content
    ).entries
    assert (one.ref, one.status) == ("/cal/a.ics", 404)
    assert (two.status, set(two.conditions)) == (403, {"need-privileges"})
    assert (three.status, three.text(wire.ETAG)) == (0, "3")
    assert three.refused == {wire.CALENDAR_DATA: 403}


def test_several_hrefs_share_one_status() -> None:
    text = "<D:href>/cal/a</D:href><D:href>/cal/b</D:href><D:status>HTTP/1.1 404 X</D:status>"
    assert [each.ref for each in read(multistatus(text).content).entries] == ["/cal/a", "/cal/b"]


@pytest.mark.parametrize("line", ["", "200", "HTTP/1.1 OK", "HTTP/1.1 20000 OK"])
def test_a_status_that_is_none_is_no_success(line: str) -> None:
    with pytest.raises(Retry):
        read(multistatus(f"<D:href>/a</D:href><D:status>{line}</D:status>").content)


@pytest.mark.parametrize(
    ("href", "ref"),
    [
        ("/cal/a.ics", "/cal/a.ics"),
        ("a.ics", "/cal/a.ics"),
        ("/cal/a%40b.ics", "/cal/a@b.ics"),
        ("/cal/a@b.ics", "/cal/a@b.ics"),
        ("/cal/a%20b.ics", "/cal/a%20b.ics"),
        ("/cal/a b.ics", "/cal/a%20b.ics"),
        ("/cal/a%2fb.ics", "/cal/a%2Fb.ics"),
        ("/cal/%C3%A4.ics", "/cal/%C3%A4.ics"),
        ("/cal/ä.ics", "/cal/%C3%A4.ics"),
        ("/cal//x/../a.ics", "/cal/a.ics"),
        ("https://dav.test/cal/a.ics", "/cal/a.ics"),
        ("https://DAV.test:443/cal/a.ics", "/cal/a.ics"),
        ("//dav.test/cal/a.ics", "/cal/a.ics"),
        ("https://other.test/cal/a.ics", "https://other.test/cal/a.ics"),
        ("/cal/a.ics?x=1", "/cal/a.ics"),
    ],
)
def test_a_place_has_one_spelling(href: str, ref: str) -> None:
    assert ref_of(href, "/cal/", HOME) == ref
    assert ref_of(ref, "/cal/", HOME) == ref


def test_places_named_by_another_host_stay_there() -> None:
    assert ref_of("/x/", "https://p1.test/home/", HOME) == "https://p1.test/x/"
    assert ref_of("y", "https://p1.test/home/", HOME) == "https://p1.test/home/y"
    assert ref_of("https://dav.test/z", "https://p1.test/home/", HOME) == "/z"


def test_paths_and_origins_are_tidied() -> None:
    assert tidy("/a/./b/") == "/a/b/"
    assert tidy("/..") == "/"
    assert origin("HTTPS://Dav.Test:443/x") == HOME
    assert origin("http://[::1]:5232/") == "http://[::1]:5232"


@pytest.mark.parametrize(
    "body",
    [
        wire.propfind([wire.ETAG, wire.CTAG]),
        wire.sync_collection('<&">', [wire.ETAG]),
        wire.multiget("C", [wire.CALENDAR_DATA], ["/a&b", "/<x>"]),
        wire.multiget("A", [wire.ADDRESS_DATA], ["/a"]),
        wire.calendar_query([wire.ETAG], "VEVENT", "UID", "a & <b>"),
        wire.addressbook_query([wire.ETAG], "UID", "a & <b>"),
        wire.make_calendar('A & "B" <c>', ["VTODO"]),
        wire.make_address_book("ä & <b>"),
    ],
)
def test_what_we_send_is_well_formed(body: bytes) -> None:
    root = etree.fromstring(body)
    texts = "".join(root.itertext())
    assert "&amp;" not in texts
    assert "&lt;" not in texts


def test_a_filter_asks_for_just_that_text() -> None:
    root = etree.fromstring(wire.calendar_query([wire.ETAG], "VEVENT", "UID", "a & <b>"))
    match = root.find(f".//{wire.CAL}text-match")
    assert match is not None
    assert match.text == "a & <b>"
    names = [
        each.get("name") for each in root.iter(f"{wire.CAL}comp-filter", f"{wire.CAL}prop-filter")
    ]
    assert names == ["VCALENDAR", "VEVENT", "UID"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "<D:responsedescription>DTEND must\n occur later</D:responsedescription>",
            "DTEND must occur later",
        ),
        ("<s:message xmlns:s='http://sabredav.org/ns'>No such zone</s:message>", "No such zone"),
        ("<D:responsedescription/>", ""),
        (f"<D:responsedescription>{'x' * 5000}</D:responsedescription>", "x" * 300),
    ],
)
def test_the_servers_own_words_are_read_from_an_error(said: str, reason: str) -> None:
    body = f"<D:error {XMLNS}><C:valid-calendar-data/>{said}</D:error>".encode()
    assert wire.read_reason(body) == reason
    assert "valid-calendar-data" in wire.read_conditions(body)


def test_what_is_no_error_body_gives_no_reason() -> None:
    assert wire.read_reason(b"<html><p>error</p></html>") == ""
    assert wire.read_reason(b"error & more") == ""
