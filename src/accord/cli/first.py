"""What `accord init dav` and `accord init exchange` share: ask, try, write.

Each of them says what its server needs; `service.first_target` tries it and drafts the text.
"""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from accord.cli import exits
from accord.cli.ask import asked
from accord.cli.call import Call
from accord.cli.errors import Usage
from accord.ports.tls import READABLE

if TYPE_CHECKING:
    from accord.ports.adapter import Finding
    from accord.ports.vault import Vault
    from accord.service.first_target import Account

NEXT = """\
Next:
  accord import {file}
  accord plan {user}          its links only observe: see what would happen
  accord mode {user} active   let them write"""


def begin(call: Call, output: Path | None, *, force: bool) -> None:
    """Let the log speak and see that no file is overwritten by accident. Raises Usage."""
    from accord.cli.logs import log_to_errors

    log_to_errors(verbose=call.verbose)
    if output is not None and (call.here / output).exists() and not force:
        raise Usage(f"{output} is there already", "name another file, or add --force")


def given(call: Call, value: str, option: str, question: str) -> str:
    """Return what an option says, else what is answered. Raises Usage where nothing is."""
    if value:
        return value
    answer = asked(call, question) if call.interactive else ""
    if not answer:
        raise Usage(f"{option} is missing", "give it, or answer the question at a terminal")
    return answer


def secret(
    call: Call, places: tuple[str, str], name: str, question: str
) -> tuple[dict[str, str], str]:
    """Return where a secret is to be found and what it is. Raises Usage.

    `places` are the environment variable and the file that the options name.
    """
    from accord.service.secret_refs import SecretMissing, resolve

    variable, path = places
    if variable and path:
        raise Usage("--password-env and --password-file exclude each other")
    if not variable and not path:
        if not call.interactive:
            raise Usage("no password", "give --password-env NAME or --password-file PATH")
        variable = f"ACCORD_PASSWORD_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
        password = getpass.getpass(f"{question}: ")
        call.note(f"Put it into the environment before importing: export {variable}=…")
        return {"env": variable}, password
    reference = {"env": variable} if variable else {"file": file(call, path)}
    try:
        return reference, resolve(reference, call.environ, call.here)
    except SecretMissing as error:
        raise Usage(str(error), error.hint) from error


def file(call: Call, path: str) -> str:
    """Return the whole path of a file, empty where none is named."""
    return str((call.here / path).resolve()) if path else ""


def loud(call: Call, *, without_tls: bool) -> dict[str, bool]:
    """Return the setting that lets passwords go without encryption, and say what it means."""
    if without_tls:
        call.note(READABLE, style="bold red", markup=False)
    return {"without_tls": True} if without_tls else {}


def name_of(url: str) -> str:
    """Return what a target on this server may be called."""
    host = urlsplit(url).hostname or "server"
    parts = host.split(".")
    usable = parts[-2] if len(parts) > 2 and not host.replace(".", "").isdigit() else host
    return usable or "server"


def finish(
    call: Call, account: Account, password: str, output: Path | None, vault: Vault | None = None
) -> int:
    """Try the account, say what was found, and write or print the text; return the exit code."""
    from accord.service.first_target import draft, tried

    found, kinds = tried(account, password, vault)
    for one in found:
        _show(call, one)
    if not kinds:
        call.note("Nothing was written, because the account doesn't work yet.", style="red")
        return exits.FAILED
    text = draft(account, kinds)
    call.data({"findings": found, "kinds": kinds, "text": text})
    if output is not None:
        (call.here / output).write_text(text, encoding="utf-8")
        call.note(f"wrote {output}", markup=False)
        user = shlex.quote(account.user)
        call.note(NEXT.format(file=shlex.quote(str(output)), user=user), markup=False)
    elif not call.json:
        call.raw(text)
    return exits.OK


def _show(call: Call, one: Finding) -> None:
    sign, style = ("✓", "green") if one.ok else ("✗", "bold red")
    if call.json:
        return
    call.note(f"{sign} ", style=style, end="")
    call.note(f"{one.subject}: {one.detail}", markup=False)
    if one.hint:
        call.note(f"    {one.hint}", style="yellow", markup=False)
