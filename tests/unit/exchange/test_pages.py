"""What the pages on Exchange say to write is taken as it stands."""

from __future__ import annotations

import re
import tomllib

import pytest

from accord.groupware.exchange import foreign
from accord.groupware.exchange.settings import SETTINGS, configure
from tools.docs.pages import ROOT, Block, blocks

PAGES = (
    "exchange.md",
    "exchange-basic.md",
    "exchange-ntlm.md",
    "exchange-kerberos.md",
    "exchange-oauth.md",
    "exchange-certificates.md",
)
FOUND = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page in PAGES
    for block in blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))
    if block.kind == "toml" and "target" in tomllib.loads(block.text)
]
ADOPTING = next(
    one["adopt"]
    for block in blocks((ROOT / "docs" / "exchange.md").read_text(encoding="utf-8"))
    if block.kind == "toml"
    for one in tomllib.loads(block.text).get("target", ())
)
"""What the page names as another connector's mark; a story pairs items by it."""


@pytest.mark.parametrize("block", FOUND)
def test_a_target_on_a_page_is_complete(block: Block) -> None:
    (target,) = tomllib.loads(block.text)["target"]
    secrets = {one.name for one in SETTINGS if one.secret}
    given = {
        name: "secret" if name in secrets else value
        for name, value in target.items()
        if name not in ("name", "adapter")
    }
    assert all(isinstance(target[name], dict) for name in secrets & target.keys())
    assert configure(given).auth == target.get("auth", "ntlm")


def test_every_way_to_sign_in_has_its_page() -> None:
    text = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
    ways = next(one.choices for one in SETTINGS if one.name == "auth")
    assert all(f"- [`{way}`](exchange-" in text for way in ways)
    assert len(FOUND) >= len(PAGES)


def test_every_way_to_name_another_connectors_mark_is_understood() -> None:
    text = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
    table = text.partition("| written as |")[2].partition("\n\n")[0]
    written = [
        each for row in table.splitlines()[2:] for each in re.findall("`(.+?)`", row.split("|")[1])
    ]
    assert len(written) == 5
    assert all(foreign.property_named(each) for each in (ADOPTING, *written))
    assert all(name in table for name in foreign._SETS.values())
