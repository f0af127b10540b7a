"""Erase, back up and restore: who was erased doesn't come back with a backup."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from accord.cli import exits
from accord.groupware.memory import MemoryGroupware
from accord.model.item import Contact, Event, Mailto
from accord.model.kinds import Kind
from accord.model.parts import Attendee
from accord.ports.queue import Stage
from accord.service.bootstrap import open_queue
from accord.service.config import load
from tests.unit.cli.conftest import CONFIG, Run
from tests.unit.cli.test_commands import DAY

BOB = "bob@client.test"


def contact(name: str, address: str) -> str:
    return msgspec.json.encode(Contact(full_name=name, mails=(Mailto(address=address),))).decode()


@pytest.fixture
def office(run: Run, mailboxes: MemoryGroupware, tmp_path: Path) -> Run:
    """An installation whose CRM, in the same database, has two contacts and copies of them."""
    return _open(run, mailboxes, tmp_path, "database:")


def _open(run: Run, mailboxes: MemoryGroupware, folder: Path, crm: str) -> Run:
    run("init")
    settings = folder / "accord.toml"
    settings.write_text(settings.read_text().replace('"database:"', f'"{crm}"'))
    run("crm", "users", "add", "alice", "--address", "alice@x.test")
    more = CONFIG + (
        '\n[[link]]\nuser = "alice"\nkind = "contact"\ntarget = "company"\nrule = "contacts"\n'
        'mode = "active"\n'
        '[[rule]]\nname = "contacts"\nkind = "contact"\n'
    )
    (folder / "company.toml").write_text(more)
    run("import", "company.toml")
    for name, address in (("Bob Client", BOB), ("Carol Keeper", "carol@client.test")):
        run("crm", "put", "--as", "alice", stdin=contact(name, address))
    run("sync", "--all")
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    return run


def _names(mailboxes: MemoryGroupware) -> list[str]:
    found = mailboxes.person("alice@x.test").list(Kind.CONTACT)
    return sorted(str(getattr(one.item, "full_name", "")) for one in found)


def _refs(run: Run, user: str, *names: str) -> list[str]:
    """Return the refs of a user's contacts of these names."""
    rows = run("crm", "list", "contact", "--as", user, "--json").rows
    return [row["ref"] for name in names for row in rows if row["item"]["full_name"] == name]


def _told(run: Run) -> str:
    """Return all that Accord tells of anybody."""
    crm = run("crm", "list", "contact", "--as", "alice", "--json", code=None).out
    return crm + run("journal", "--json").out + run("explain", "Bob", code=None).out


def test_a_plan_erases_nothing(office: Run, mailboxes: MemoryGroupware) -> None:
    said = office("erase", BOB, "--plan").out
    assert BOB in said and "1 copy in mailboxes" in said
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    assert "nobody is there to agree" in office("erase", BOB, code=exits.WRONG).err


def test_an_erased_person_is_nowhere_any_more(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    office = _open(run, mailboxes, tmp_path, "database:sqlite:///crm.db")
    meeting = Event(title="Lunch", attendees=(Attendee(address=BOB),), **DAY)
    item = mailboxes.person("alice@x.test").add(meeting)
    office("sync", "--all")
    mailboxes.person("alice@x.test").delete(item.ref)
    office("sync", "--all")
    assert "Bob Client" in _told(office)
    office("erase", BOB, "--yes")
    assert _names(mailboxes) == ["Carol Keeper"]
    assert "Bob" not in _told(office) and BOB not in _told(office)
    assert "Carol" in _told(office)
    kept = [path for path in tmp_path.glob("accord.*") if BOB.encode() in path.read_bytes()]
    assert kept == []
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]


@pytest.fixture
def twin(office: Run) -> str:
    """The ref of another contact under Bob's address, whom no link synchronizes."""
    office("crm", "users", "add", "zoe", "--address", "zoe@x.test")
    office("crm", "put", "--as", "zoe", stdin=contact("Bob Twin", BOB))
    (ref,) = _refs(office, "zoe", "Bob Twin")
    return ref


def test_of_contacts_who_share_an_address_all_are_named_and_none_is_left(
    office: Run, twin: str, mailboxes: MemoryGroupware
) -> None:
    """A deleted one is one of them: its record still has all that it had."""
    office("crm", "put", "--as", "zoe", stdin=contact("Bob Former", BOB))
    (former,), (bob,) = _refs(office, "zoe", "Bob Former"), _refs(office, "alice", "Bob Client")
    office("crm", "delete", former, "--as", "zoe")
    for words in (["--plan"], ["--yes"]):
        refused = office("erase", BOB, *words, code=exits.WRONG).err
        told = {f"{bob} Bob Client", f"{twin} Bob Twin", f"{former} Bob Former"}
        assert f"3 CRM contacts share {BOB}" in refused and all(each in refused for each in told)
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    command = f"accord erase {BOB} {' '.join(sorted([bob, twin, former]))}"
    assert command in " ".join(refused.split())
    office(*command.split()[1:], "--yes")
    assert _names(mailboxes) == ["Carol Keeper"]
    assert "Bob" not in office("crm", "list", "contact", "--as", "zoe", "--json").out
    office("crm", "restore", former, "--as", "zoe", code=exits.FAILED)
    office("erase", BOB, "--yes")


def test_of_contacts_who_share_an_address_those_that_are_not_named_stay(
    office: Run, twin: str, mailboxes: MemoryGroupware
) -> None:
    (bob,) = _refs(office, "alice", "Bob Client")
    assert f"- {bob} Bob Client shares an address" in office("erase", twin, "--plan").out
    said = office("erase", BOB, bob, "--yes").out
    assert f"- {BOB}, {bob} Bob Client\n- {twin} Bob Twin shares an address" in said
    assert _names(mailboxes) == ["Carol Keeper"]
    assert _refs(office, "zoe", "Bob Twin") == [twin]
    office("erase", twin, "--yes")
    assert _refs(office, "zoe", "Bob Twin") == []


def test_another_contact_under_a_second_address_of_theirs_is_named_too(office: Run) -> None:
    both = Contact(full_name="Bob", mails=(Mailto(address="b@x.test"), Mailto(address=BOB)))
    office("crm", "put", "--as", "alice", stdin=msgspec.json.encode(both).decode())
    refused = office("erase", "b@x.test", "--yes", code=exits.WRONG).err
    assert "Bob Client" in refused and "2 CRM contacts share b@x.test" in refused


def test_what_still_names_others_is_not_counted_for_who_is_erased(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    meeting = Event(title="Lunch", attendees=(Attendee(address=BOB),), **DAY)
    mailboxes.person("alice@x.test").add(meeting)
    office("sync", "--all")
    assert (
        "2 snapshots of what stands on both sides still name" in office("erase", BOB, "--yes").out
    )
    assert office("erase", "quirin@client.test", "--yes").out.endswith(
        "erased: 0 images, what 0 journal entries told, 0 decisions, 0 waiting changes; "
        "0 snapshots of what stands on both sides still name them\n"
    )
    assert "; 2 snapshots of what" in office("erase", BOB, "--yes").out


def test_nothing_of_who_is_erased_stays_in_a_log_that_others_keep_open(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    office = _open(run, mailboxes, tmp_path, "database:sqlite:///crm.db")
    config = load(tmp_path / "accord.toml", {}, tmp_path)
    with closing(open_queue(config)) as queue, ExitStack() as stack:
        for name in ("accord.db", "crm.db"):
            other = stack.enter_context(closing(sqlite3.connect(tmp_path / name)))
            other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        office("crm", "put", "--as", "alice", stdin=contact("Bob Twin", BOB))
        office("sync", "--all")
        queue.ask(f"t/{BOB}/contact/?", "interval", after=3600)

        def told() -> list[str]:
            files = [*tmp_path.glob("accord*"), *tmp_path.glob("crm.db*")]
            return sorted(each.name for each in files if BOB.encode() in each.read_bytes())

        assert {"accord-queue.db-wal", "crm.db-wal"} <= set(told())
        office("erase", BOB, *_refs(office, "alice", "Bob Client", "Bob Twin"), "--yes")
        assert told() == []


def test_the_queue_forgets_the_mailbox_of_who_was_erased(office: Run, tmp_path: Path) -> None:
    config = load(tmp_path / "accord.toml", {}, tmp_path)
    with closing(open_queue(config)) as queue, sqlite3.connect(tmp_path / "accord.db") as database:
        ((target, mailbox),) = database.execute(
            "SELECT DISTINCT target, principal FROM state_links"
        )
        known, former = (f"{target}/{who}/contact/?" for who in (mailbox, BOB.title()))
        for folder in (known, former):
            queue.ask(folder, "interval", after=3600)
        for person in (BOB, mailbox):
            office("erase", person, "--yes", code=None)
            assert [one.folder for one in queue.entries(Stage.PLANNED)] == [known]
    told = [path for path in tmp_path.glob("accord*") if BOB.title().encode() in path.read_bytes()]
    assert told == []


def test_a_former_users_address_is_nowhere_any_more_nor_comes_back(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    office, gone = _open(run, mailboxes, tmp_path, "database:sqlite:///crm.db"), "zed@x.test"
    office("crm", "users", "add", "zed", "--address", gone)
    link = '[[link]]\nuser = "zed"\nkinds = ["event", "contact"]\ntarget = "company"\n'
    office("import", "-", stdin=link + 'mode = "active"\n')
    office("crm", "users", "consent", "zed")
    office("sync", "--all")
    office("links", "remove", "zed-event", "zed-contact", "--withdraw", "--yes")
    office("backup", "before.db")

    def told() -> list[str]:
        found = [each for each in tmp_path.glob("accord.*") if gone.encode() in each.read_bytes()]
        return [each.name for each in found]

    assert told() == ["accord.db"]
    office("erase", gone, "--yes")
    assert told() == []
    assert "(ref erased)" in office("journal").out
    assert gone.encode() in (tmp_path / "before.db").read_bytes()
    office("restore", "before.db", "--yes")
    assert told() == []


def test_a_restored_backup_is_rid_of_who_was_erased_since_and_is_held(
    office: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    office("backup", "before.db")
    assert stat.S_IMODE((tmp_path / "before.db").stat().st_mode) == 0o600
    office("erase", BOB, "--yes")
    assert "erased from it: " in office("restore", "before.db", "--yes").out
    held = "✗ every visit is held: Accord's own database is a copy, or was put back\n"
    assert held in office("status", code=exits.FAILED).out, "before anybody visits"
    assert "Bob" not in _told(office) and "Carol" in _told(office)
    said = office("sync", "--all", code=None)
    assert "held: Accord's own database" in said.out + said.err
    shown = office("status", code=exits.FAILED).out
    assert held in shown and shown.count("was put back") == 1
    office("check", "--accept", code=None)
    office("sync", "--all")
    assert "✗" not in office("status").out
    assert _names(mailboxes) == ["Carol Keeper"]
    assert (tmp_path / "accord.db.former").exists()


@pytest.mark.parametrize("crm", ["database:", "database:sqlite:///crm.db"])
def test_a_copy_that_an_erasure_had_to_leave_goes_after_a_backup_was_put_back(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path, crm: str
) -> None:
    office = _open(run, mailboxes, tmp_path, crm)
    office("backup", "before.db")
    office("pause", "alice-contact")
    office("erase", BOB, "--yes", code=exits.FAILED)
    office("restore", "before.db", "--yes")
    assert "Bob" not in _told(office) and BOB not in _told(office)
    assert BOB.encode() not in (tmp_path / "accord.db").read_bytes()
    office("check", "--accept", code=None)
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    told = "alice-contact: a copy of somebody who was erased before still stands: "
    for way, why in (("alice-contact", "the link is paused"), ("--all", "everything is paused")):
        office("pause", way)
        assert told + why in office("erase", BOB, "--yes", code=exits.FAILED).err
        assert told not in office("erase", f"quirin{way}@client.test", "--yes").err
        office("resume", way)
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]
    office("erase", BOB, "--yes")


def test_with_a_key_command_the_erasures_lie_beside_the_settings(
    office: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    (tmp_path / "accord.key").rename(tmp_path / "vault")
    settings = tmp_path / "accord.toml"
    settings.write_text(
        settings.read_text().replace('key_file = "accord.key"', 'key_command = ["cat", "vault"]')
    )
    assert "keep the keys apart from it" in office("backup", "before.db").out
    office("erase", BOB, "--yes")
    assert stat.S_IMODE((tmp_path / "accord.erasures").stat().st_mode) == 0o600
    assert "erased from it: " in office("restore", "before.db", "--yes").out
    assert "Bob" not in _told(office) and "Carol" in _told(office)
    office("check", "--accept", code=None)
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]
    assert not list(tmp_path.glob("accord.key*"))


def test_a_backup_put_back_by_hand_is_rid_of_them_once_it_is_accepted(
    office: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    office("backup", "before.db")
    office("erase", BOB, "--yes")
    for more in ("-wal", "-shm"):
        (tmp_path / f"accord.db{more}").unlink(missing_ok=True)
    (tmp_path / "before.db").replace(tmp_path / "accord.db")
    office("check", "--accept", code=None)
    assert "Bob" not in _told(office)
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]


def test_the_hashes_tell_nobody(office: Run, tmp_path: Path) -> None:
    office("erase", BOB, "--yes")
    file = tmp_path / "accord.key.erasures"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert BOB not in file.read_text()
    with sqlite3.connect(tmp_path / "accord.db") as database:
        ((person, addresses),) = database.execute("SELECT person, addresses FROM state_erasures")
    assert BOB not in f"{person} {addresses!r}"
    file.unlink()
    (tmp_path / "a.db").unlink(missing_ok=True)
    office("backup", "a.db")
    assert "which tells whom" in office("restore", "a.db", "--yes", code=exits.WRONG).err


def test_an_erasure_makes_no_key_in_the_place_of_the_one_that_earlier_ones_need(
    office: Run, tmp_path: Path
) -> None:
    office("erase", BOB, "--yes")
    file = tmp_path / "accord.key.erasures"
    kept = file.rename(tmp_path / "elsewhere")
    refused = office("erase", "carol@client.test", "--yes", code=exits.WRONG)
    assert f"{file} is gone, which tells whom" in refused.err
    assert not file.exists() and "Carol" in _told(office)
    kept.rename(file)
    office("erase", "carol@client.test", "--yes")
    assert len(file.read_text().split()) > 2


def test_what_waits_on_a_pause_is_said_and_done_by_erasing_again(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    office("pause", "alice-contact")
    result = office("erase", BOB, "--yes", code=exits.FAILED)
    assert "alice-contact is paused or only observes: its copies stay" in result.err
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    office("resume", "alice-contact")
    office("erase", BOB, "--yes")
    assert _names(mailboxes) == ["Carol Keeper"]
    assert "Bob" not in _told(office)


def test_another_erasure_lets_none_forget_what_an_earlier_one_still_has_to_remove(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    office("pause", "alice-contact")
    office("erase", BOB, "--yes", code=exits.FAILED)
    office("erase", "quirin@client.test", "--yes")
    office("resume", "alice-contact")
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]
    office("erase", BOB, "--yes")
    assert "Bob" not in _told(office)


def test_a_copy_whose_deletion_is_held_is_deleted_once_approved_whoever_is_erased_meanwhile(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    rule = '[[rule]]\nname = "contacts"\nkind = "contact"\n[rule.guard]\ndeletes = 0\n'
    office("import", "-", stdin=rule)
    office("rules", "activate", "contacts", "--yes")
    office("sync", "--all")
    held = "alice-contact: 1 held for approval"
    assert held in office("erase", BOB, "--yes", code=exits.FAILED).err
    office("erase", "quirin@client.test", "--yes")
    assert _names(mailboxes) == ["Bob Client", "Carol Keeper"]
    office("held", "approve", "--all", "--yes")
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]
    office("erase", BOB, "--yes")
    assert "Bob" not in _told(office)


def test_a_copy_that_can_not_be_deleted_is_said_and_goes_once_it_can(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    person, (bob,) = mailboxes.person("alice@x.test"), _refs(office, "alice", "Bob Client")
    copy = next(one for one in person.list(Kind.CONTACT) if "Bob Client" in repr(one.item))
    person.corrupt(copy.ref)
    office("sync", "--all", code=None)
    told = f"alice-contact: a copy could not be deleted; `accord explain {bob}` says why"
    assert told in office("erase", BOB, "--yes", code=exits.FAILED).err
    assert "can't be read at present" in office("explain", bob).out
    person.corrupt(copy.ref, "")
    office("sync", "--all")
    assert _names(mailboxes) == ["Carol Keeper"]


def test_a_copy_that_was_moved_elsewhere_is_said_once_and_stays(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    person = mailboxes.person("alice@x.test")
    copy = next(one for one in person.list(Kind.CONTACT) if "Bob Client" in repr(one.item))
    person.move(copy.ref, person.add_folder("Old", Kind.CONTACT))
    office("sync", "--all")
    told = "alice-contact: an item that it let go of stays in the mailbox, for its owner to delete"
    assert told in office("erase", BOB, "--yes", code=exits.FAILED).err
    assert "Bob" not in _told(office)
    office("erase", BOB, "--yes")


def test_links_of_the_person_who_is_erased_are_said_until_they_are_gone(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    office("crm", "users", "add", "quirin", "--address", "quirin@x.test")
    link = '[[link]]\nuser = "quirin"\nkind = "event"\ntarget = "company"\nmode = "active"\n'
    office("import", "-", stdin=link)
    told = "quirin-event: links of theirs go on under that address: `accord withdraw quirin-event`"
    assert told in office("erase", "quirin@x.test", "--plan").err
    assert office("erase", "quirin@x.test", "--plan", "--json").row["own"] == ["quirin-event"]
    result = office("erase", "quirin@x.test", "--yes", code=exits.FAILED)
    assert f"left: {told}" in result.err and "erased: " in result.out
    office("withdraw", "quirin", "--yes")
    assert "links of theirs" not in office("erase", "quirin@x.test", "--yes").err


def test_of_whoever_works_in_their_mailbox_that_link_alone_is_to_be_withdrawn(
    office: Run, mailboxes: MemoryGroupware
) -> None:
    office("crm", "users", "add", "zoe", "--address", "zoe@x.test")
    own = '[[link]]\nuser = "zoe"\nkind = "event"\ntarget = "company"\nmode = "active"\n'
    theirs = f'{own}name = "zoe-for-quirin"\nprincipal = "quirin@x.test"\n'
    office("import", "-", stdin=own + theirs)
    told = office("erase", "quirin@x.test", "--plan").err
    assert "`accord withdraw zoe-for-quirin` ends that" in told
    assert "zoe-event" not in told


def test_nobody_is_erased_by_a_word(office: Run) -> None:
    assert "no e-mail address" in office("erase", "Bob", "--yes", code=exits.WRONG).err


def test_a_backup_replaces_nothing_and_nothing_else_is_restored(
    office: Run, tmp_path: Path
) -> None:
    office("backup", "one.db")
    assert "already" in office("backup", "one.db", code=exits.WRONG).err
    (tmp_path / "strange").write_text("no database")
    assert "no backup" in office("restore", "strange", "--yes", code=exits.WRONG).err
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE t (a)")
    assert "no backup" in office("restore", "other.db", "--yes", code=exits.WRONG).err
    assert "no file" in office("restore", "nowhere.db", "--yes", code=exits.WRONG).err
    assert not list(tmp_path.glob("*.restoring*"))
    assert "Bob" in _told(office)
