"""What somebody may not enter into the CRM, on a real device: the rest goes on all the same.

The CRM is one in memory that refuses some names, and CRM.interface answers in this process.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from accord.model.item import Contact
from tests.connector import listening
from tests.interop.lab import alerts, fine, text
from tests.interop.shop import Shop
from tests.unit.interface.phone import PASSWORD
from tests.unit.interface.test_bearing import forbid
from tests.unit.interface.world import make_world

pytestmark = pytest.mark.waits


def test_what_may_not_be_entered_keeps_nothing_else_out(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch)
    with make_world() as world, listening(world.server) as url:  # type: ignore[arg-type]
        phone = shop.device(
            tmp_path / "phone",
            url=url,
            user="anna",
            password=PASSWORD,
            properties={"loglevel": "4"},
        )
        fine(phone.sync("addressbook", mode="slow"))
        for name in ("Forbidden One", "Odd One", "Zoe Last", "Ada First"):
            phone.write("addressbook", name.replace(" ", "-"), text("addressbook", name))
        entered = ["Ada First", "Zoe Last"]
        for turn in range(2):
            late = f"Late {turn}"
            world.add(Contact(full_name=late, given="Late", family=str(turn)))
            outcome = phone.sync("addressbook")
            entered.append(late)
            # The client says that not all went well, and which sync this was stands.
            assert (outcome.code, outcome.stores["addressbook"].status) == (1, 22001), outcome
            assert alerts(outcome) == {"addressbook": "200"}
            assert world.names() == sorted(entered)
            assert phone.titles("addressbook") == sorted([*entered, "Forbidden One", "Odd One"])
        for name in ("Forbidden One", "Odd One"):
            phone.rename("addressbook", name, f"Proper {name}")
        fine(phone.sync("addressbook"))
        assert phone.titles("addressbook") == world.names()
        assert len(world.names()) == 6
