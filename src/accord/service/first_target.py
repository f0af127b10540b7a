"""Draft a first target: try a CalDAV/CardDAV account and write the text that `import` reads.

Stores nothing; the password stays where the reference says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from accord.model.kinds import Kind, Side
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError
from accord.rules.defaults import groupware_kind
from accord.rules.render import render_key, render_value
from accord.service import registry
from accord.service.transfer_text import DEFAULT_RULES
from accord.state.records import Target

HEADER = """\
# A CalDAV/CardDAV server and the people on it. Bring it into Accord with: accord import FILE
# Secrets are references: {{ env = "NAME" }}, {{ file = "PATH" }} or {{ command = "PROGRAM" }}.
"""


class Account(Struct, frozen=True, kw_only=True):
    """Be what is needed to reach one person's mailbox; `reference` is where the secret is."""

    name: str
    url: str
    user: str
    principal: str
    login: str
    reference: Mapping[str, str]
    ca_file: str = ""


def tried(account: Account, password: str) -> tuple[tuple[Finding, ...], tuple[Kind, ...]]:
    """Try an account and return what was found, and the kinds that have a folder there."""
    target = Target(
        id=account.name,
        name=account.name,
        adapter="dav",
        side=Side.GROUPWARE,
        settings=_settings(account),
        secrets={"passwords": {account.principal: password}},
    )
    adapter = registry.build(target)
    try:
        found = adapter.check(account.principal)
        if not all(one.ok for one in found if one.subject != "encryption"):
            return found, ()
        with adapter.open(account.principal) as session:
            there = {kind for folder in session.folders() for kind in folder.kinds}
    except AccordError as error:
        fault = Finding(
            subject="folders", ok=False, detail=str(error), hint=getattr(error, "hint", "")
        )
        return (fault,), ()
    finally:
        adapter.close()
    return found, tuple(kind for kind in DEFAULT_RULES if groupware_kind(kind) in there)


def draft(account: Account, kinds: tuple[Kind, ...]) -> str:
    """Return the text of the target and of the person's links."""
    lines = ["[[target]]", f"name = {render_value(account.name)}", 'adapter = "dav"']
    tables: list[str] = []
    for key, value in _settings(account).items():
        if isinstance(value, dict):
            tables += ["", f"[target.{key}]"]
            tables += [f"{render_key(who)} = {render_value(each)}" for who, each in value.items()]
        else:
            lines.append(f"{key} = {render_value(value)}")
    ((form, place),) = account.reference.items()
    secret = f"{{ {form} = {render_value(place)} }}"
    tables += ["", "[target.passwords]", f"{render_key(account.principal)} = {secret}"]
    link = ["[[link]]", f"user = {render_value(account.user)}"]
    link += [f"target = {render_value(account.name)}"]
    link += [f"principal = {render_value(account.principal)}"]
    link += [f"kinds = {render_value([str(kind) for kind in kinds])}"]
    link += ['mode = "observe" # plans only; `accord mode USER active` lets them write']
    return HEADER.format() + "\n" + "\n".join([*lines, *tables, "", *link]) + "\n"


def _settings(account: Account) -> dict[str, Any]:
    settings: dict[str, Any] = {"url": account.url}
    if account.ca_file:
        settings["ca_file"] = account.ca_file
    if account.login == account.principal:
        return settings
    if account.login == account.principal.partition("@")[0]:
        return {**settings, "user": "{local}"}
    return {**settings, "users": {account.principal: account.login}}
