"""Folders that a target's settings name: nothing is ever written into another one instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from accord.sandbox.exchange.hand import Hand
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.opening import folder_key, named_key
from tests.exchange import LINK, ROBOT, TARGET, House
from tests.peers import Account
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_story import EXPORTED, titles

DAV = """
[[target]]
name = "company"
adapter = "dav"
url = "{url}"
user = "{{local}}"
password = {{ env = "MAIL_PASSWORD" }}
"""

NAMED = 'calendar = "CRM entries"\n'
MADE = "create_missing = true\n"


class Mailbox(NamedTuple):
    """A person's mailbox: the target that reaches it, and what stands in their own calendar.

    By hand that calendar is renamed, and another one made.
    """

    person: str
    target: str
    titles: Callable[[], set[str]]
    rename: Callable[[str], None]
    make: Callable[[str], None]

    def text(self, settings: str = "", link: str = "") -> str:
        """What to import: the target with more settings, and a link to this mailbox."""
        return self.target + settings + LINK.format(person=self.person) + f"{link}\n{EXPORTED}"


@pytest.fixture(params=["dav", "exchange"])
def mailbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    if request.param == "dav":
        account: Account = request.getfixturevalue("radicale_account")
        person = f"{account.user}@x.test"
        monkeypatch.setenv("MAIL_PASSWORD", account.password)
        text = DAV.format(url=account.url)
        yield Mailbox(person, text, lambda: titles(account), *dav_hands(account))
        return
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    with closing(House()) as house:
        person = house.person()
        with Hand(house.url, person, "secret") as hand:
            target = TARGET.format(url=house.url, robot=ROBOT)
            yield Mailbox(person, target, lambda: set(hand.titles()), *exchange_hands(hand))


Hands = tuple[Callable[[str], None], Callable[[str], None]]


def dav_hands(account: Account) -> Hands:
    def send(method: str, url: str, root: str, name: str) -> None:
        space = "urn:ietf:params:xml:ns:caldav" if root == "mkcalendar" else "DAV:"
        body = (
            f'<{root} xmlns="{space}" xmlns:D="DAV:"><D:set><D:prop>'
            f"<D:displayname>{name}</D:displayname></D:prop></D:set></{root}>"
        )
        with account.client() as client:
            assert client.request(method, url, content=body).is_success

    return (
        lambda name: send("PROPPATCH", account.calendar, "propertyupdate", name),
        lambda name: send("MKCALENDAR", f"{account.calendar[:-1]}-2/", "mkcalendar", name),
    )


def exchange_hands(hand: Hand) -> Hands:
    own = '<t:DistinguishedFolderId Id="calendar"/>'

    def called(name: str) -> str:
        text = f"<t:DisplayName>{name}</t:DisplayName>"
        return f"<t:CalendarFolder>{text}</t:CalendarFolder>"

    def rename(name: str) -> None:
        hand.ask(
            f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{own}<t:Updates><t:SetFolderField>"
            f'<t:FieldURI FieldURI="folder:DisplayName"/>{called(name)}</t:SetFolderField>'
            "</t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
        )

    def make(name: str) -> None:
        hand.ask(
            f"<m:CreateFolder><m:ParentFolderId>{own}</m:ParentFolderId>"
            f"<m:Folders>{called(name)}</m:Folders></m:CreateFolder>"
        )

    return rename, make


def refused(run: Run, *words: str, stdin: str = "") -> str:
    """What a command says that must fail for its settings."""
    result = run(*words, stdin=stdin, code=2)
    return result.out + result.err


def test_a_folder_that_is_named_and_not_there_is_no_other_one(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    run("import", "-", stdin=mailbox.text('calendar = "CRM entires"\n'))
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    said = f"{mailbox.person} has no folder 'CRM entires' for events"
    assert f"✗ default calendar: {said}" in run("check", code=1).out
    for words in (["plan"], ["sync", "--all"]):
        assert said in refused(run, *words)
    assert mailbox.titles() == set()

    run("import", "-", stdin=mailbox.target + NAMED + MADE)
    run("sync", "--all")
    assert "works in CRM entries" in run("check").out
    assert mailbox.titles() == set(), "it has a calendar of its own"


def test_a_link_in_another_folder_than_the_settings_name_waits_and_says_so(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    own = begun(run, mailbox)
    for settings, there in ((NAMED, ", which isn't there"), (NAMED + MADE, "")):
        run("import", "-", stdin=mailbox.target + settings)
        said = f"works in {own!r}, but 'calendar' of its target is 'CRM entries'{there}"
        checked = run("check", code=1).out
        assert f"✗ link alice-event: alice-event {said}" in checked
        assert f'folder = "{own}" in the link' in checked
        for words in (["plan"], ["sync", "--all"]):
            assert said in refused(run, *words)
        assert mailbox.titles() == {"Kick-off"}

    strange = mailbox.text(NAMED + MADE, link='folder = "CRM entries"')
    assert "folder can't change" in refused(run, "import", "-", stdin=strange)
    run("import", "-", stdin=mailbox.text(NAMED + MADE, link=f'folder = "{own}"'))
    assert "All is well." in run("check").out
    run("sync", "--all")
    assert mailbox.titles() == {"Kick-off", "Later"}


def test_what_a_link_made_in_another_folder_can_be_taken_away(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    begun(run, mailbox)
    run("import", "-", stdin=mailbox.target + NAMED + MADE)
    made = run("journal", "--json").rows[0]
    assert "delete in the mailbox: Kick-off" in run("undo", str(made["id"]), "--plan").out
    words = ["links", "remove", "alice-event", "--withdraw"]
    assert "delete in the mailbox: Kick-off" in run(*words, "--plan").out
    run(*words, "--yes")
    assert mailbox.titles() == set()

    run("import", "-", stdin=mailbox.text(NAMED + MADE))
    run("sync", "--all")
    assert "works in CRM entries" in run("check").out
    assert mailbox.titles() == set(), "both stand in the calendar that is named"


def test_a_link_stays_in_a_named_folder_that_its_person_renames(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    mailbox.rename("CRM entries")
    run("import", "-", stdin=mailbox.text(NAMED))
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    run("sync", "--all")
    mailbox.rename("My CRM")
    for settings, title in ((NAMED, "Later"), (NAMED + MADE, "Last"), (NAMED, "As before")):
        if title == "As before":
            with closing(open_accord(load(None, {}, Path()))) as accord, accord.state.begin() as tx:
                tx.settings.put(named_key(tx.links.all()[0]), None)
        run("import", "-", stdin=mailbox.target + settings)
        run("crm", "put", "--as", "alice", stdin=event(title))
        run("sync", "--all")
        assert "link alice-event: works in My CRM" in run("check", code=None).out
        assert title in mailbox.titles()

    run("import", "-", stdin=mailbox.target + 'calendar = "Sales"\n')
    said = "works in 'My CRM', but 'calendar' of its target is 'Sales', which isn't there"
    assert said in refused(run, "sync", "--all")
    mailbox.make("CRM entries")
    run("import", "-", stdin=mailbox.target + NAMED)
    said = "works in 'My CRM', but 'calendar' of its target is 'CRM entries': nothing"
    assert said in refused(run, "sync", "--all")


def test_a_folder_made_by_hand_that_is_made_where_it_lacks_stays_the_links_own(
    installed: Run, mailbox: Mailbox
) -> None:
    """Renamed, it is no longer called what the settings name: no second one is made for that."""
    run = installed
    mailbox.rename("CRM entries")
    run("import", "-", stdin=mailbox.text(NAMED + MADE))
    for name, title in (("CRM entries", "Kick-off"), ("My CRM", "Later"), ("Ours", "Last")):
        mailbox.rename(name)
        run("crm", "put", "--as", "alice", stdin=event(title))
        run("sync", "--all")
        assert f"link alice-event: works in {name}\n" in run("check", code=None).out
        assert title in mailbox.titles()
    assert len(mailbox.titles()) == 3


def test_a_folder_made_by_hand_before_the_first_write_makes_it_is_that_one(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    run("import", "-", stdin=mailbox.text(NAMED + MADE))
    run("sync", "--all")
    assert "will be made when first needed" in run("check").out
    began = folders_of_links()
    mailbox.rename("CRM entries")
    for title in ("Kick-off", "Later"):
        run("crm", "put", "--as", "alice", stdin=event(title))
        run("sync", "--all")
        assert title in mailbox.titles()
    assert folders_of_links() != began, "known by its own id"
    mailbox.rename("My CRM")
    run("crm", "put", "--as", "alice", stdin=event("Last"))
    run("sync", "--all")
    assert mailbox.titles() == {"Kick-off", "Later", "Last"}


def test_a_link_stays_in_the_folder_that_it_names_when_its_person_renames_that(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    mailbox.rename("CRM entries")
    run("import", "-", stdin=mailbox.text(link='folder = "CRM entries"'))
    for title in ("Kick-off", "Later", "Last"):
        run("crm", "put", "--as", "alice", stdin=event(title))
        run("sync", "--all")
        assert title in mailbox.titles()
        if title == "Later":
            mailbox.make("CRM entries")
        mailbox.rename("My CRM")
    assert "link alice-event: works in My CRM\n" in run("check").out

    for name in ("CRM entires", "Sales"):
        strange = mailbox.text(link=f'folder = "{name}"')
        assert "folder can't change" in refused(run, "import", "-", stdin=strange)
    run("import", "-", stdin=mailbox.text(link='folder = "My CRM"'))
    run("sync", "--all")
    assert mailbox.titles() == {"Kick-off", "Later", "Last"}


def test_another_folder_that_a_link_names_is_looked_up_anew(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    mailbox.rename("CRM entries")
    run("import", "-", stdin=mailbox.text(link='folder = "CRM entries"'))
    run("sync", "--all")
    mailbox.make("Sales")
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    run("import", "-", stdin=mailbox.text(link='folder = "Sells"'))
    assert "has no folder 'Sells' for events" in refused(run, "sync", "--all")
    run("import", "-", stdin=mailbox.text(link='folder = "Sales"'))
    run("sync", "--all")
    assert "link alice-event: works in Sales\n" in run("check").out
    assert mailbox.titles() == set()


def test_no_other_folder_of_the_name_takes_the_place_of_one_that_is_gone(
    installed: Run, mailbox: Mailbox
) -> None:
    run = installed
    mailbox.rename("CRM entries")
    run("import", "-", stdin=mailbox.text(link='folder = "CRM entries"'))
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    run("sync", "--all")
    with closing(open_accord(load(None, {}, Path()))) as accord, accord.state.begin() as tx:
        tx.settings.put(folder_key(tx.links.all()[0]), "elsewhere")
    said = refused(run, "sync", "--all")
    assert "isn't there any more" in said and "`accord links remove alice-event`" in said
    assert mailbox.titles() == {"Kick-off"}


@pytest.mark.parametrize("words", [["withdraw"], ["links", "remove", "--withdraw"]])
def test_a_link_that_never_began_is_withdrawn_without_its_folder(
    installed: Run, mailbox: Mailbox, words: list[str]
) -> None:
    run = installed
    run("import", "-", stdin=mailbox.text('calendar = "CRM entires"\n'))
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    refused(run, "sync", "--all")
    run(*words, "alice", "--plan")
    assert "alice-event" in run("links").out, "a plan removes nothing"
    assert "alice-event: removed, 0 pairs let go" in run(*words, "alice", "--yes").out
    assert "alice-event" not in run("links").out


def folders_of_links() -> list[str]:
    """By which ids the links know the folders that they work in."""
    with closing(open_accord(load(None, {}, Path()))) as accord, accord.state.read() as tx:
        return [tx.settings.get(folder_key(link), "") for link in tx.links.all()]


def begun(run: Run, mailbox: Mailbox) -> str:
    """Let the link begin in the person's own calendar, and leave something more to be written.

    Return what that calendar is called.
    """
    run("import", "-", stdin=mailbox.text())
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    run("sync", "--all")
    assert mailbox.titles() == {"Kick-off"}
    run("crm", "put", "--as", "alice", stdin=event("Later"))
    found = re.search("works in (.*)", run("check").out)
    assert found is not None
    return found[1]
