"""The contacts a user covers or has chosen, and how the lists follow accounts and groups."""

from __future__ import annotations

import pytest

from accord.model.item import Mailto
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Observation, OutOfScope
from accord.model.observe import Denied as DeniedHere
from accord.model.parts import Privacy
from accord.ports.errors import ConfigError, Denied, Gone
from tests.unit.crm.office import Office, Pulled, contact, done


class Delta:
    """Follow one user's contacts from pull to pull."""

    def __init__(self, office: Office, user: str) -> None:
        self.office, self.user = office, user
        self.cursor = office.pull(user, Kind.CONTACT).cursor

    def pull(self) -> Pulled:
        pulled = self.office.pull(self.user, Kind.CONTACT, self.cursor)
        if pulled.completeness is Completeness.LOST:
            pulled = self.office.pull(self.user, Kind.CONTACT)
        self.cursor = pulled.cursor
        return pulled

    def of(self, ref: str) -> Observation | None:
        return self.pull().said.get(ref)


def test_an_account_carries_its_contacts_to_its_owner(office: Office) -> None:
    account = office.admin.put_account(office.ann, name="Acme")
    made = [
        office.admin.put(office.carl, contact(full_name=f"c{n}"), account=account).ref
        for n in range(9)
    ]
    assert office.pull(office.ann, Kind.CONTACT).seen == set(made)
    ann, bob = Delta(office, office.ann), Delta(office, office.bob)
    office.admin.put_account(office.ann, account, owner=office.bob)
    assert bob.pull().seen == set(made)
    left = ann.pull()
    assert {type(left.said[ref]) for ref in made} == {OutOfScope}
    done(office.edit(office.bob, office.see(office.bob, Kind.CONTACT, made[0]), full_name="new"))
    with pytest.raises(Denied):
        office.admin.put_account(office.ann, account, owner=office.ann)
    office.admin.access(office.carl, Kind.CONTACT, made[0], account=None)
    assert isinstance(bob.of(made[0]), OutOfScope)


def test_a_territory_follows_its_group(office: Office) -> None:
    team = f"north-{office.tag}"
    office.admin.put_group(team, office.bob)
    made = office.admin.put(office.ann, contact(), group=team, visibility="group")
    bob, carl = Delta(office, office.bob), Delta(office, office.carl)
    assert made.ref in office.pull(office.bob, Kind.CONTACT).seen
    office.admin.put_group(team, office.carl)
    for member in (bob, carl):
        lost = office.pull(member.user, Kind.CONTACT, member.cursor)
        assert lost.completeness is Completeness.LOST
    assert carl.pull().seen == {made.ref}
    assert made.ref not in bob.pull().said
    assert isinstance(office.fetch(office.bob, Kind.CONTACT, made.ref), DeniedHere)
    other = f"south-{office.tag}"
    office.admin.put_group(other, office.bob)
    office.admin.access(office.ann, Kind.CONTACT, made.ref, group=other)
    assert isinstance(carl.of(made.ref), OutOfScope)
    assert made.ref in bob.pull().seen


def test_the_modes_of_a_list(office: Office) -> None:
    own = office.create(office.bob, contact(full_name="own"))
    shown = office.create(office.ann, contact(full_name="shown"))
    hidden = office.admin.put(office.ann, contact(full_name="hidden"), visibility="participants")
    chosen = office.create(office.ann, contact(full_name="chosen"))
    office.admin.choose(office.bob, chosen.ref)
    mine = {own.ref, shown.ref, hidden.ref, chosen.ref}
    bob = Delta(office, office.bob)
    for mode, expected in (
        ("list", {chosen.ref}),
        ("all", {own.ref, shown.ref, chosen.ref}),
        ("own", {own.ref, chosen.ref}),
    ):
        office.admin.change_user(office.bob, contacts=mode)
        lost = office.pull(office.bob, Kind.CONTACT, bob.cursor)
        assert lost.completeness is Completeness.LOST
        assert bob.pull().seen & mine == expected
    with pytest.raises(ConfigError):
        office.admin.change_user(office.bob, contacts="some")
    office.admin.change_user(office.bob, contacts="list")
    fresh = office.create(office.bob, contact(full_name="fresh"))
    assert fresh.ref in bob.pull().seen, "what a user adds is on their own list"


def test_someone_who_sees_all_loses_what_turns_private(office: Office) -> None:
    office.admin.change_user(office.bob, contacts="all")
    made = office.create(office.ann, contact())
    never = office.admin.put(office.ann, contact(), visibility="private")
    bob = Delta(office, office.bob)
    assert never.ref not in office.pull(office.bob, Kind.CONTACT).said
    done(office.edit(office.ann, made, privacy=Privacy.PRIVATE))
    assert isinstance(bob.of(made.ref), OutOfScope)
    again = office.see(office.ann, Kind.CONTACT, made.ref)
    done(office.edit(office.ann, again, privacy=Privacy.PUBLIC))
    assert made.ref in bob.pull().seen
    office.admin.access(office.ann, Kind.CONTACT, made.ref, visibility="participants")
    assert isinstance(bob.of(made.ref), OutOfScope)
    office.admin.access(office.ann, Kind.CONTACT, never.ref, visibility="participants")
    assert never.ref not in bob.pull().seen


def test_nobody_chooses_what_they_may_not_read(office: Office) -> None:
    made = office.admin.put(office.ann, contact(), visibility="participants")
    with pytest.raises(Denied):
        office.admin.choose(office.bob, made.ref)
    with pytest.raises(Gone):
        office.admin.choose(office.bob, "nothing")
    office.admin.share(office.ann, Kind.CONTACT, made.ref, to_user=office.bob)
    office.admin.choose(office.bob, made.ref)
    bob = Delta(office, office.bob)
    office.admin.unshare(office.ann, Kind.CONTACT, made.ref, to_user=office.bob)
    assert isinstance(bob.of(made.ref), DeniedHere)
    office.admin.share(office.ann, Kind.CONTACT, made.ref, to_user=office.bob)
    assert made.ref in bob.pull().seen


def test_contacts_are_found_by_the_addresses_they_have_now(office: Office) -> None:
    old, new = f"old-{office.tag}@example.net", f"New-{office.tag}@example.net"
    made = office.create(office.ann, contact(mails=(Mailto(address=old),)))
    after = (Mailto(address=new), Mailto(address=new.upper()))
    written = done(office.edit(office.ann, made, mails=after))
    assert dict(office.crm.contacts([old, new])) == {new.casefold(): made.ref}
    assert written.snapshot is not None
    done(office.delete(office.ann, written.snapshot))
    assert dict(office.crm.contacts([new])) == {}


def test_a_user_is_known_under_each_address(office: Office) -> None:
    alias = f"Alias-{office.tag}@example.com"
    main = f"{office.ann}@example.com"
    office.admin.change_user(office.ann, addresses=(alias, main), display_name="Ann A.")
    people = office.crm.identities(office.ann)
    assert [(one.address, one.name) for one in people] == [(alias, "Ann A."), (main, "Ann A.")]
    assert office.crm.identities("nobody") == ()
    assert dict(office.crm.users([alias.upper()])) == {alias.casefold(): office.ann}
    office.admin.change_user(office.ann, active=False)
    assert dict(office.crm.users([alias])) == {}
