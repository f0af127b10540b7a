"""`accord init`: a new installation, and blocks of text for a first target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import CallArgument

init = App(name="init", help="Write a commented accord.toml, the key file and the database.")

NEXT = """\
Next:
  accord crm users add alice --address alice@example.com   a user of the built-in CRM
  accord init dav --output company.toml                    ask for a CalDAV server, and test it
                                                           (or: accord init exchange …)
  accord import company.toml                               bring it into Accord
  accord check                                             test every connection
  accord plan                                              see what would happen
  accord mode alice active                                 let her links write, not only observe
  accord sync --all                                        let it happen
"""

THERE = """\
Next:
  accord token key {name}
      on the CRM's machine; move the file here, as {file}, as you would move a password
"""
ELSEWHERE = """\
  accord check                                             is the CRM there, does it let us in?
  accord init dav --output company.toml                    ask for a CalDAV server, and test it
  accord import company.toml                               bring it into Accord
  accord plan                                              see what would happen
  accord mode alice active                                 let her links write, not only observe
  accord sync --all                                        let it happen
"""

LOUD = "WITHOUT TLS: whoever can listen on the way reads tokens and everybody's items."


@init.default
def installation(
    *,
    folder: Annotated[
        Path, Parameter(help="Where to write accord.toml; made if it is missing.")
    ] = Path(),
    database: Annotated[
        str, Parameter(help="The database's address.", show_default=True)
    ] = "sqlite:///accord.db",
    key_file: Annotated[
        str, Parameter(help="Where the key is kept.", show_default=True)
    ] = "accord.key",
    crm: Annotated[str, Parameter(help="The CRM's address.", show_default=True)] = "database:",
    token_key: Annotated[
        str,
        Parameter(help="The file with the token key, for a CRM on another machine."),
    ] = "connector.key",
    ca_file: Annotated[
        str,
        Parameter(help="The file (PEM) of the authority to trust instead of the system's there."),
    ] = "",
    without_tls: Annotated[
        bool,
        Parameter(help="Let interface+http:// go to another machine, readable on the way."),
    ] = False,
    force: Annotated[bool, Parameter(help="Write accord.toml anew if it is there.")] = False,
    call: CallArgument,
) -> int:
    """Write a commented accord.toml, the key file and the database.

    Nothing that is there already is touched: with --force accord.toml is written anew, key file
    and database still stay.
    """
    from accord.service.connector import is_elsewhere
    from accord.service.init import init as make

    folder = call.here / folder
    made = make(
        folder,
        database=database,
        key_file=key_file,
        crm=crm,
        token_key=token_key,
        ca_file=ca_file,
        without_tls=without_tls,
        force=force,
    )
    missing = made.token_key
    call.data({"made": made.made, "kept": made.kept, "missing": [str(missing)] if missing else []})
    for path in made.made:
        call.say(f"made  {path}", markup=False)
    for path in made.kept:
        call.say(f"kept  {path}", markup=False)
    call.say()
    if without_tls:
        call.note(LOUD, style="bold red", markup=False)
    if is_elsewhere(crm):
        first = THERE.format(name=missing.name, file=missing) if missing else "Next:\n"
        call.say(first + ELSEWHERE, markup=False, end="")
    else:
        call.say(NEXT, markup=False, end="")
    return exits.OK


init.command(
    "accord.cli.setup_dav:dav",
    name="dav",
    help="Ask for a CalDAV/CardDAV server, test it and print its target and links.",
)
init.command(
    "accord.cli.setup_exchange:exchange",
    name="exchange",
    help="Ask for an Exchange server, test it and print its target and links.",
)
