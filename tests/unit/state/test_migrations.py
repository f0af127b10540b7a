"""What older Accords stored is brought along, or left behind where it wasn't true."""

from __future__ import annotations

from sqlalchemy import text

from accord.db import open_database
from accord.db.migrate import upgrade
from accord.model.kinds import Side
from accord.state import State
from accord.state.device_items import Shelf
from tests.unit.state.build import NOW


def test_the_cursors_of_folders_go_and_those_of_links_stay(database_url: str) -> None:
    database = open_database(database_url)
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, "accord.state", "0003")
        tx.execute(
            text(
                "INSERT INTO state_targets (id, name, adapter, side, settings) "
                "VALUES ('t', 't', 'dav', 'groupware', '')"
            )
        )
        for name in ("a", "b"):
            tx.execute(
                text(
                    'INSERT INTO state_links (id, name, "user", kind, target, principal, folder, '
                    "rule, mode, paused) VALUES (:name, :name, 'anna', 'event', 't', 'a@x', '', "
                    "'r', 'active', false)"
                ),
                [{"name": name}],
            )
        for scope, side in (("a", "crm"), ("gone", "crm"), ("t/a@x/calendar/event", "groupware")):
            tx.execute(
                text(
                    "INSERT INTO state_cursors (scope, side, cursor, at) "
                    "VALUES (:scope, :side, '17', :at)"
                ),
                [{"scope": scope, "side": side, "at": NOW}],
            )
    state = State(database)
    with state.read() as tx:
        assert tx.cursors.all() == {("a", Side.CRM): "17"}
        assert tx.cursors.get("a", Side.CRM, "anna/event") == "17"
    database.close()


def test_what_older_accords_stored_of_devices_is_of_unknown_origin(database_url: str) -> None:
    database = open_database(database_url)
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, "accord.state", "0008")
        tx.execute(
            text(
                'INSERT INTO state_device_items ("user", device, store, ref, luid, guid, version, '
                "session) VALUES ('anna', 'phone', 'addressbook', 'r1', '1', 'r1', '7', 's')"
            )
        )
    state = State(database)
    with state.read() as tx:
        (row,) = tx.device_items.by_luid(Shelf("anna", "phone", "addressbook"), ["1"]).values()
        assert (row.ref, row.version, row.base, row.ours) == ("r1", "7", "", False)
    database.close()
