"""`accord init dav`: asks for a CalDAV/CardDAV account, tries it and writes text for `import`."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.ask import asked
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage

if TYPE_CHECKING:
    from accord.ports.adapter import Finding


NEXT = """\
Next:
  accord import {file}
  accord plan {user}          its links only observe: see what would happen
  accord mode {user} active   let them write"""


def dav(
    *,
    url: Annotated[str, Parameter(help="The server, such as https://dav.example.com/.")] = "",
    user: Annotated[str, Parameter(help="The CRM user.")] = "",
    principal: Annotated[str, Parameter(help="The address of the mailbox.")] = "",
    login: Annotated[str, Parameter(help="The login name; usually the address.")] = "",
    password_env: Annotated[str, Parameter(help="The variable that holds the password.")] = "",
    password_file: Annotated[str, Parameter(help="The file that holds the password.")] = "",
    name: Annotated[str, Parameter(help="What to call the target.")] = "",
    ca_file: Annotated[str, Parameter(help="Own certificate authority, a PEM file.")] = "",
    output: Annotated[Path | None, Parameter(help="Write into this file.")] = None,
    force: Annotated[bool, Parameter(help="Overwrite the file.")] = False,
    call: CallArgument,
) -> int:
    """Ask for a CalDAV/CardDAV account, try it, and print its target and links.

    What isn't given as an option is asked for at a terminal. The password itself is never
    written: the text refers to an environment variable or a file. The links only observe at
    first; `accord mode USER active` lets them write once `accord plan` shows what you want.
    """
    from accord.cli.logs import log_to_errors
    from accord.service.first_target import Account, draft, tried

    log_to_errors(verbose=call.verbose)
    if output is not None and (call.here / output).exists() and not force:
        raise Usage(f"{output} is there already", "name another file, or add --force")
    url = _given(call, url, "--url", "Address of the server")
    if "://" not in url:
        url = f"https://{url}"
    user = _given(call, user, "--user", "CRM user")
    principal = _given(call, principal, "--principal", "Address of their mailbox")
    login = login or (asked(call, "Login name", principal) if call.interactive else principal)
    name = name or _name(url)
    reference, password = _secret(call, password_env, password_file, name)
    account = Account(
        name=name,
        url=url,
        user=user,
        principal=principal,
        login=login,
        reference=reference,
        ca_file=str((call.here / ca_file).resolve()) if ca_file else "",
    )
    found, kinds = tried(account, password)
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
        call.note(NEXT.format(file=shlex.quote(str(output)), user=shlex.quote(user)), markup=False)
    elif not call.json:
        call.raw(text)
    return exits.OK


def _given(call: Call, value: str, option: str, question: str) -> str:
    if value:
        return value
    answer = asked(call, question) if call.interactive else ""
    if not answer:
        raise Usage(f"{option} is missing", "give it, or answer the question at a terminal")
    return answer


def _secret(call: Call, variable: str, file: str, name: str) -> tuple[dict[str, str], str]:
    from accord.service.secret_refs import SecretMissing, resolve

    if variable and file:
        raise Usage("--password-env and --password-file exclude each other")
    if not variable and not file:
        if not call.interactive:
            raise Usage("no password", "give --password-env NAME or --password-file PATH")
        variable = f"ACCORD_PASSWORD_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
        password = getpass.getpass("Password or app password: ")
        call.note(f"Put it into the environment before importing: export {variable}=…")
        return {"env": variable}, password
    reference = {"env": variable} if variable else {"file": str((call.here / file).resolve())}
    try:
        return reference, resolve(reference, call.environ, call.here)
    except SecretMissing as error:
        raise Usage(str(error), error.hint) from error


def _name(url: str) -> str:
    host = urlsplit(url).hostname or "server"
    parts = host.split(".")
    usable = parts[-2] if len(parts) > 2 and not host.replace(".", "").isdigit() else host
    return usable or "server"


def _show(call: Call, one: Finding) -> None:
    sign, style = ("✓", "green") if one.ok else ("✗", "bold red")
    if call.json:
        return
    call.note(f"{sign} ", style=style, end="")
    call.note(f"{one.subject}: {one.detail}", markup=False)
    if one.hint:
        call.note(f"    {one.hint}", style="yellow", markup=False)
