"""Draft a first target: try a person's account and write the text that `import` reads.

Stores nothing; the secret stays where the reference says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from accord.model.kinds import Kind, Side
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError
from accord.ports.tls import require_tls
from accord.ports.vault import Vault
from accord.rules.defaults import groupware_kind
from accord.rules.render import render_key, render_value
from accord.service import registry
from accord.service.transfer_text import DEFAULT_RULES
from accord.state.records import Target

HEADER = """\
# {what} and the people on it. Bring it into Accord with: accord import FILE
# Secrets are references: {{ env = "NAME" }}, {{ file = "PATH" }} or {{ command = "PROGRAM" }}.
"""


class Account(Struct, frozen=True, kw_only=True):
    """Be what is needed to reach one person's mailbox on a server.

    `what` names the server for people. `secret` is the setting that holds the secret, a person's
    own in a table where `secret_of` names the person; `reference` is where the secret is. Both are
    empty where there is none.
    """

    what: str
    adapter: str
    name: str
    user: str
    principal: str
    settings: Mapping[str, Any]
    secret: str
    reference: Mapping[str, str]
    secret_of: str = ""


def tried(
    account: Account, secret: str, vault: Vault | None = None
) -> tuple[tuple[Finding, ...], tuple[Kind, ...]]:
    """Try an account and return what was found, and the kinds that have a folder there.

    What the server replaces of the secret meanwhile is in `vault` then.
    """
    secrets: dict[str, Any] = {}
    if account.secret:
        secrets = {account.secret: {account.secret_of: secret} if account.secret_of else secret}
    target = Target(
        id=account.name,
        name=account.name,
        adapter=account.adapter,
        side=Side.GROUPWARE,
        settings=dict(account.settings),
        secrets=secrets,
    )
    try:
        require_tls(account.settings, account.name)
        adapter = registry.build(target, vault)
    except AccordError as error:
        return (_fault("settings", error),), ()
    try:
        found = adapter.check(account.principal)
        if not all(one.ok for one in found if one.subject not in MINOR):
            return found, ()
        with adapter.open(account.principal) as session:
            there = {kind for folder in session.folders() for kind in folder.kinds}
    except AccordError as error:
        return (_fault("folders", error),), ()
    finally:
        adapter.close()
    return found, tuple(kind for kind in DEFAULT_RULES if groupware_kind(kind) in there)


MINOR = frozenset({"encryption", "deletions"})
"""What may be amiss in a first target all the same; it is said loudly."""


def draft(account: Account, kinds: tuple[Kind, ...]) -> str:
    """Return the text of the target and of the person's links."""
    lines = ["[[target]]", f"name = {render_value(account.name)}"]
    lines.append(f"adapter = {render_value(account.adapter)}")
    tables: list[str] = []
    for key, value in account.settings.items():
        if isinstance(value, dict):
            tables += ["", f"[target.{key}]"]
            tables += [f"{render_key(who)} = {render_value(each)}" for who, each in value.items()]
        else:
            lines.append(f"{key} = {render_value(value)}")
    for form, place in account.reference.items():
        secret = f"{{ {form} = {render_value(place)} }}"
        if account.secret_of:
            tables += ["", f"[target.{account.secret}]"]
            tables += [f"{render_key(account.secret_of)} = {secret}"]
        else:
            lines.append(f"{account.secret} = {secret}")
    link = ["[[link]]", f"user = {render_value(account.user)}"]
    link += [f"target = {render_value(account.name)}"]
    link += [f"principal = {render_value(account.principal)}"]
    link += [f"kinds = {render_value([str(kind) for kind in kinds])}"]
    link += ['mode = "observe" # plans only; `accord mode USER active` lets them write']
    head = HEADER.format(what=account.what)
    return head + "\n" + "\n".join([*lines, *tables, "", *link]) + "\n"


def dav_settings(url: str, principal: str, login: str, ca_file: str) -> dict[str, Any]:
    """Return the settings by which one person's login name on a DAV server is found."""
    settings: dict[str, Any] = {"url": url}
    if ca_file:
        settings["ca_file"] = ca_file
    if login == principal:
        return settings
    if login == principal.partition("@")[0]:
        return {**settings, "user": "{local}"}
    return {**settings, "users": {principal: login}}


def _fault(subject: str, error: AccordError) -> Finding:
    hint = getattr(error, "hint", "")
    return Finding(subject=subject, ok=False, detail=str(error), hint=hint)
