"""`accord interface`: serve CRM.interface, look after its devices, and see what they synced."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.endpoint import announce, endpoint
from accord.cli.listener import stopped_by_signals
from accord.cli.words import moment, plural, short

if TYPE_CHECKING:
    from accord.state.sync_sessions import SyncNote

interface = App(name="interface", help="Serve CRM.interface to phones and connectors.")

LINES = 50


@interface.default
def serve(
    *,
    listen: Annotated[
        str, Parameter(help="HOST:PORT to listen on instead of what accord.toml says.")
    ] = "",
    without_tls: Annotated[
        bool,
        Parameter(help="Listen on other addresses than this machine's own without TLS."),
    ] = False,
    call: CallArgument,
) -> int:
    """Serve CRM.interface until it is stopped.

    Where devices reach it over a network it needs a certificate (`[interface]` in accord.toml), or
    a server in front of it that has one, for which there is --without-tls.
    """
    from accord.service.presence import INTERFACE, Presence

    config = call.config()
    with (
        call.accord() as accord,
        endpoint(accord, config, listen, without_tls=without_tls) as made,
        closing(Presence(accord.state, [INTERFACE])) as presence,
        stopped_by_signals(),
    ):
        # Or nobody would know that phones write here, as who restores a backup has to.
        presence.begin()
        announce(call, made)
        made.serve()
    return exits.OK


@interface.command
def device(
    user: Annotated[str, Parameter(help="The CRM user whose device it is.")],
    /,
    *,
    lifetime: Annotated[str, Parameter(name="--for", help="How long it holds: 30d, 52w.")] = "52w",
    call: CallArgument,
) -> int:
    """Make a password for a device and print it.

    It stands for a token, which phones couldn't take: it is short, and most sign in with MD5, which
    needs a password that is known here (it is kept encrypted). `accord token revoke ID` ends it.
    """
    from accord.cli.token import duration, me
    from accord.service.bootstrap import open_desk
    from accord.state.devices import DeviceSecret, new_password

    with call.accord() as accord:
        made = open_desk(accord, call.config()).issue(user, duration(lifetime), by=me())
        claims = made.claims
        secret = DeviceSecret(
            id=claims.id,
            user=user,
            text=made.text,
            password=new_password(),
            until=claims.expires,
        )
        accord.state.run(lambda tx: tx.device_secrets.add(secret))
    shown = {"user": user, "id": claims.id, "expires": claims.expires}
    call.data({"password": secret.password, **shown})
    if not call.json:
        call.raw(secret.password + "\n")
        until = moment(claims.expires)
        call.note(f"for a device of {user} until {until}; id {claims.id}", markup=False)
    return exits.OK


@interface.command
def sessions(
    *,
    user: Annotated[str, Parameter(help="Only those of this user.")] = "",
    limit: Annotated[int, Parameter(help="How many at most.", show_default=True)] = LINES,
    call: CallArgument,
) -> int:
    """List who synced what, when and how it ended, newest first, and what was refused."""
    from accord.service.bootstrap import require_near

    with call.accord() as accord, accord.state.read() as tx:
        found = [
            (sync, tx.sync_log.notes(sync.id)) for sync in tx.sync_log.query(user=user, limit=limit)
        ]
    for sync, notes in found:
        shown = [
            {"what": n.what, "luid": n.luid, "ref": n.ref, "why": n.why, "kept": _kept(n)}
            for n in notes
        ]
        call.data(
            {**{name: getattr(sync, name) for name in sync.__struct_fields__}, "notes": shown}
        )
        counts = ", ".join(f"{number} {what}" for what, number in sorted(sync.counts.items()))
        head = f"{moment(sync.at)} {sync.user} {sync.device} {sync.store} {sync.mode}"
        call.say(short(f"{head} {sync.end or 'not finished'}", 300), markup=False)
        if counts:
            call.say(f"    {counts}", style="dim", markup=False)
        for note in notes[:10]:
            what = (
                f"{note.what}: {note.why}  {note.luid and f'on the device {note.luid}'} {note.ref}"
            )
            call.say(f"    {short(what, 300)}", style="dim", markup=False)
            if kept := _kept(note):
                call.say(f"        the one that lost is kept: {kept}", style="dim", markup=False)
        if len(notes) > 10:
            call.say(f"    and {plural(len(notes) - 10, 'more item')}", style="dim")
    if not found:
        require_near(call.config(), "who synced is noted there")
        call.say(
            "Nobody has synced yet." if not user else f"{user} hasn't synced yet.", markup=False
        )
    return exits.OK


@interface.command
def lost(
    id_: Annotated[str, Parameter(name="ID", help="What `sessions` shows of one that is kept.")],
    /,
    *,
    call: CallArgument,
) -> int:
    """Print an item that lost a conflict as canonical JSON."""
    from accord.service.lost_item import find

    with call.accord() as accord:
        found = find(accord, id_)
    head = {"id": id_, "user": found.sync.user, "ref": found.note.ref, "why": found.note.why}
    call.data({**head, "item": found.item})
    if not call.json:
        text = msgspec.json.format(msgspec.json.encode(found.item, order="deterministic"))
        call.raw(text.decode() + "\n")
    return exits.OK


@interface.command
def restore(
    id_: Annotated[str, Parameter(name="ID", help="What `sessions` shows of one that is kept.")],
    /,
    *,
    plan: Annotated[bool, Parameter(help="Only show what would be changed.")] = False,
    call: CallArgument,
) -> int:
    """Bring back an item that lost a conflict, in the name of the user whose sync it was.

    What it says goes over what the record says now; what it doesn't say stays. Where the record is
    gone it is made anew. Devices get it with their next sync.
    """
    from accord.cli.show import show_changes
    from accord.service import lost_item

    with call.accord() as accord:
        found = lost_item.find(accord, id_)
        done = (lost_item.plan if plan else lost_item.restore)(accord, found)
    call.data({"id": id_, "user": found.sync.user, "ref": done.ref, "fields": done.fields})
    if found.note.ref and done.ref == found.note.ref:
        word = "would change" if plan else "changed"
        call.say(f"{word}  {done.ref}" if done.fields else "It stands so already.", markup=False)
        show_changes(call, done.fields, "    ")
    else:
        call.say("would be made anew" if plan else f"made anew  {done.ref}", markup=False)
    return exits.OK


def _kept(note: SyncNote) -> str:
    return note.id if note.item is not None else ""
