"""`accord init dav`: asks for a CalDAV/CardDAV account, tries it and writes text for `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from accord.cli import first
from accord.cli.ask import asked
from accord.cli.call import CallArgument


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
    without_tls: Annotated[
        bool, Parameter(help="Let http:// go to another machine, readable on the way.")
    ] = False,
    output: Annotated[Path | None, Parameter(help="Write into this file.")] = None,
    force: Annotated[bool, Parameter(help="Overwrite the file.")] = False,
    call: CallArgument,
) -> int:
    """Ask for a CalDAV/CardDAV account, try it, and print its target and links.

    What isn't given as an option is asked for at a terminal. The password itself is never
    written: the text refers to an environment variable or a file. The links only observe at
    first; `accord mode USER active` lets them write once `accord plan` shows what you want.
    """
    from accord.service.first_target import Account, dav_settings

    first.begin(call, output, force=force)
    url = first.given(call, url, "--url", "Address of the server")
    if "://" not in url:
        url = f"https://{url}"
    user = first.given(call, user, "--user", "CRM user")
    principal = first.given(call, principal, "--principal", "Address of their mailbox")
    login = login or (asked(call, "Login name", principal) if call.interactive else principal)
    name = name or first.name_of(url)
    reference, password = first.secret(
        call, (password_env, password_file), name, "Password or app password"
    )
    settings = dav_settings(url, principal, login, first.file(call, ca_file))
    account = Account(
        what="A CalDAV/CardDAV server",
        adapter="dav",
        name=name,
        user=user,
        principal=principal,
        settings=settings | first.loud(call, without_tls=without_tls),
        secret="passwords",
        secret_of=principal,
        reference=reference,
    )
    return first.finish(call, account, password, output)
