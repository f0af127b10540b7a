"""What the pages on Exchange say to write is taken as it stands."""

from __future__ import annotations

import tomllib

import pytest

from accord.groupware.exchange.settings import SETTINGS, configure
from tools.docs.pages import ROOT, Block, blocks

PAGES = (
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
    if block.kind == "toml"
]


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
