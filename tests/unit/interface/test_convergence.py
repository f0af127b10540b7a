"""Two devices and the CRM, edited and broken off at random: the same in the end, nothing twice.

Hypothesis plays histories; the last syncs are whole.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accord.formats.syncml.media import Media
from accord.model.item import Contact, Mailto
from accord.model.kinds import Kind
from accord.model.observe import Seen
from tests.unit.interface.phone import Phone, alert_of, card, status_for
from tests.unit.interface.world import World, make_world

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "edit", "delete", "sync", "sync", "break", "lose", "slow", "forget"]
        ),
        st.integers(0, 2),
        st.integers(0, 50),
    ),
    max_size=25,
)


@given(STEPS, st.sampled_from(list(Media)), st.sampled_from([150_000, 9_000]))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_have_the_same_in_the_end(
    steps: list[tuple[str, int, int]], media: Media, size: int
) -> None:
    with make_world() as world:
        phones = [world.phone(f"phone-{n}", media=media, max_message=size) for n in (1, 2)]
        made = 0
        for what, where, which in steps:
            if what == "add":
                made += 1
                add(world, phones, where, made)
            elif where == 2 and what in ("edit", "delete"):
                edit_here(world, what, which)
            elif what in ("edit", "delete"):
                edit_there(phones[where], what, which)
            elif what == "forget":
                world.forget()
            else:
                talk(phones[where % 2], what)
        for phone in phones * 2:
            phone.sync()
        names = world.names()
        assert phones[0].names == phones[1].names == names
        # Whatever became of edits: no record stands for two.
        first = [name.split()[0] for name in names]
        assert len(first) == len(set(first))


def add(world: World, phones: list[Phone], where: int, number: int) -> None:
    name, mail = f"Number{number} Family", f"m{number}@example.com"
    if where == 2:
        given, family = name.split()
        mails = (Mailto(address=mail, type="work"),)
        world.add(Contact(full_name=name, given=given, family=family, mails=mails))
    else:
        phones[where].items[f"own-{number}"] = card(name, mail)


def edit_here(world: World, what: str, which: int) -> None:
    with world.crm.open("anna") as session:
        pages = list(session.changes("", Kind.CONTACT, "", lambda _: {}))
    refs = [one.ref for page in pages for one in page.observations if isinstance(one, Seen)]
    if refs:
        ref = refs[which % len(refs)]
        if what == "delete":
            world.delete(ref)
        else:
            world.edit(ref, notes=f"note {which}")


def edit_there(phone: Phone, what: str, which: int) -> None:
    if phone.items:
        luid = sorted(phone.items)[which % len(phone.items)]
        if what == "delete":
            del phone.items[luid]
        elif "TITLE:" not in phone.items[luid]:
            text = phone.items[luid]
            phone.items[luid] = text.replace("END:VCARD", f"TITLE:Title {which}\r\nEND:VCARD")


def talk(phone: Phone, what: str) -> None:
    if what in ("sync", "slow"):
        phone.sync(201 if what == "slow" else 200)
        return
    phone.begin(200)
    mode = alert_of(phone.reply).code or 0
    if what == "break":
        # The connection goes after the device's changes, of which some are lost.
        some = phone.changes(mode)
        phone.post(*status_for(phone.reply), phone.sync_of(some[: len(some) // 2]), final=False)
    else:
        # The server's changes arrive, the device's last word doesn't.
        phone.take_changes(phone.send_changes(mode))
        phone.maps, kept = {}, phone.maps
        phone.items = {luid: d for luid, d in phone.items.items() if luid not in kept.values()}
