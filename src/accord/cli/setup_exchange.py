"""`accord init exchange`: asks for an Exchange server, tries it and writes text for `import`."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from msgspec.structs import replace

from accord.cli import exits, first
from accord.cli.ask import asked
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.ports.tls import UNCHECKED

if TYPE_CHECKING:
    from accord.service.first_target import Account

Auth = Literal["ntlm", "basic", "kerberos", "oauth2", "oauth2-user"]
Access = Literal["impersonation", "delegate", "own"]

PORT = 8400
PATIENCE = 300.0
OPEN = """\
Open this address in a browser on this machine and sign in as {who}:

{url}

Waiting for the answer on {redirect} (from elsewhere: ssh -L {port}:localhost:{port} THIS-HOST)."""


def exchange(
    *,
    url: Annotated[
        str,
        Parameter(help="The server, such as https://mail.example.com; `auto` asks Autodiscover."),
    ] = "",
    user: Annotated[str, Parameter(help="The CRM user.")] = "",
    principal: Annotated[str, Parameter(help="The mailbox's primary address.")] = "",
    auth: Annotated[Auth | None, Parameter(help="The way to sign in.")] = None,
    access: Annotated[Access | None, Parameter(help="Whose rights are used.")] = None,
    login: Annotated[str, Parameter(help="The login name, as DOMAIN\\NAME or NAME@DOMAIN.")] = "",
    password_env: Annotated[
        str, Parameter(help="The variable that holds the password, or the application's secret.")
    ] = "",
    password_file: Annotated[
        str, Parameter(help="The file that holds the password, or the application's secret.")
    ] = "",
    keytab: Annotated[
        str,
        Parameter(
            help="For kerberos: the file with the login's key. With neither keytab nor password, "
            "the tickets of this process count (kinit)."
        ),
    ] = "",
    authority: Annotated[
        str,
        Parameter(
            help="For oauth2 and oauth2-user: AD FS as https://HOST/adfs, Entra ID as "
            "https://login.microsoftonline.com/TENANT/v2.0."
        ),
    ] = "",
    token_url: Annotated[
        str, Parameter(help="Where tokens are issued, if no authority tells it.")
    ] = "",
    client_id: Annotated[
        str, Parameter(help="For oauth2 and oauth2-user: the id of the application.")
    ] = "",
    resource: Annotated[str, Parameter(help="For AD FS: how it names Exchange.")] = "",
    scope: Annotated[str, Parameter(help="What tokens are asked for, if not the server.")] = "",
    token_file: Annotated[
        Path | None,
        Parameter(help="For oauth2-user: where the token is written; NAME.token if not given."),
    ] = None,
    redirect_port: Annotated[
        int,
        Parameter(help="For oauth2-user: the browser comes back to http://localhost:PORT."),
    ] = PORT,
    time_zone: Annotated[str, Parameter(help="The people's zone, such as Europe/Berlin.")] = "",
    name: Annotated[str, Parameter(help="What to call the target.")] = "",
    ca_file: Annotated[str, Parameter(help="Own certificate authority, a PEM file.")] = "",
    without_tls: Annotated[
        bool, Parameter(help="Let http:// go to another machine, readable on the way.")
    ] = False,
    without_check: Annotated[
        bool, Parameter(help="Take any certificate, so that anybody on the way can read along.")
    ] = False,
    output: Annotated[Path | None, Parameter(help="Write into this file.")] = None,
    force: Annotated[bool, Parameter(help="Overwrite the file.")] = False,
    call: CallArgument,
) -> int:
    """Ask for an Exchange server, try it with one mailbox, and print its target and links.

    What isn't given as an option is asked for at a terminal. The secret itself is never written:
    the text refers to an environment variable or a file. The links only observe at first;
    `accord mode USER active` lets them write once `accord plan` shows what you want.
    """
    from accord.service.first_target import Account

    first.begin(call, output, force=force)
    url = first.given(call, url, "--url", "Address of the server, or `auto`")
    url = "" if url == "auto" else url if "://" in url else f"https://{url}"
    user = first.given(call, user, "--user", "CRM user")
    principal = first.given(call, principal, "--principal", "Primary address of their mailbox")
    way = auth or _one_of(call, "Way to sign in", WAYS)
    rights = access or _one_of(call, "Whose rights", ("impersonation", "delegate", "own"))
    if way == "oauth2" and rights == "own":
        raise Usage("an application signs in with oauth2, no person", "take oauth2-user for people")
    name = name or first.name_of(url or f"https://{principal.rpartition('@')[2]}")
    settings: dict[str, Any] = {"auth": way, "access": rights}
    more = {"url": url, "time_zone": time_zone, "ca_file": first.file(call, ca_file)}
    more |= {"resource": resource, "scope": scope, "token_url": token_url, "authority": authority}
    settings |= {key: value for key, value in more.items() if value}
    settings |= first.loud(call, without_tls=without_tls)
    if without_check:
        settings["verify"] = False
        call.note(UNCHECKED, style="bold red", markup=False)
    if way.startswith("oauth2"):
        if not authority and not token_url:
            settings["authority"] = first.given(call, "", "--authority", "Authority of tokens")
        settings["client_id"] = first.given(call, client_id, "--client-id", "Application id")
    places, by = (password_env, password_file), "password"
    if way == "kerberos":
        by = _shown(call, rights, keytab, places)
    elif keytab:
        raise Usage(f"--keytab is for --auth kerberos, not for {way}")
    if by == "keytab":
        keytab = first.given(call, keytab, "--keytab", "Keytab file")
        settings["keytab"] = first.file(call, keytab)
    if not way.startswith("oauth2"):
        settings |= _login(call, login, principal, rights, needed=by != "tickets")
    account = Account(
        what="An Exchange server",
        adapter="exchange",
        name=name,
        user=user,
        principal=principal,
        settings=settings,
        secret=_secret_of(way, rights),
        secret_of=principal if rights == "own" else "",
        reference={},
    )
    if way == "oauth2-user":
        file = call.here / (token_file or f"{name}.token")
        return _in_a_browser(call, account, (file, force), redirect_port, output)
    if by != "password":
        return first.finish(call, replace(account, secret=""), "", output)
    question = "Secret" if way == "oauth2" else "Password"
    reference, password = first.secret(call, places, name, question)
    return first.finish(call, replace(account, reference=reference), password, output)


WAYS = ("ntlm", "basic", "kerberos", "oauth2", "oauth2-user")


def _shown(call: Call, rights: str, keytab: str, places: tuple[str, str]) -> str:
    """Return what Kerberos is shown: `tickets`, `password` or `keytab`. Raises Usage."""
    if keytab and any(places):
        raise Usage("--keytab and a password exclude each other")
    if rights == "own":
        if keytab:
            raise Usage("--keytab is for a service account", "with own access, give a password")
        return "password"
    if keytab or any(places):
        return "keytab" if keytab else "password"
    return _one_of(call, "What Kerberos is shown", ("tickets", "password", "keytab"))


def _login(call: Call, login: str, principal: str, rights: str, *, needed: bool) -> dict[str, Any]:
    """Return the settings that say who signs in; tickets say it themselves. Raises Usage."""
    if rights == "own":
        login = login or (asked(call, "Login name", principal) if call.interactive else principal)
        return {"users": {principal: login}} if login != principal else {}
    if needed:
        login = first.given(call, login, "--login", "Login name of the service account")
    return {"user": login} if login else {}


def _secret_of(way: str, rights: str) -> str:
    """Return the setting that holds the secret of a way to sign in."""
    if way == "oauth2":
        return "client_secret"
    one, each = ("refresh_token", "refresh_tokens")
    if way != "oauth2-user":
        one, each = ("password", "passwords")
    return each if rights == "own" else one


def _in_a_browser(
    call: Call, account: Account, place: tuple[Path, bool], port: int, output: Path | None
) -> int:
    """Let somebody sign in, try what came of it, and keep the token in a file. Raises Usage."""
    from accord.cli.loopback import Loopback
    from accord.groupware.exchange.authorize import Authorization
    from accord.ports.vault import MemoryVault

    file, force = place
    if file.exists() and not force:
        raise Usage(f"{file} is there already", "name another --token-file, or add --force")
    own = bool(account.secret_of)
    with (
        closing(Loopback(port)) as listener,
        closing(
            Authorization(account.settings, listener.address, account.principal if own else "")
        ) as signing_in,
    ):
        who = account.principal if own else "the service account"
        told = OPEN.format(
            who=who, url=signing_in.url, redirect=listener.address, port=listener.port
        )
        call.errors.print(told, markup=False, soft_wrap=True)
        token = signing_in.finish(listener.wait(PATIENCE))
    vault = MemoryVault()
    account = replace(account, reference={"file": str(file.resolve())})
    code = first.finish(call, account, token, output, vault)
    if code == exits.OK:
        _write(file, vault.newest(token))
        call.note(KEPT.format(file=file), markup=False)
    return code


KEPT = "The token is in {file}, for nobody else to read; once imported, the file can go."


def _write(file: Path, token: str) -> None:
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as new:
        new.write(token + "\n")


def _one_of(call: Call, question: str, choices: tuple[str, ...]) -> str:
    """Return one of several words, the first where nothing is answered. Raises Usage."""
    if not call.interactive:
        return choices[0]
    answer = asked(call, f"{question} ({', '.join(choices)})", choices[0]).strip()
    if answer not in choices:
        raise Usage(f"{answer!r} is none of {', '.join(choices)}")
    return answer
