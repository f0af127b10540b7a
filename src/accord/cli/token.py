"""`accord token`: the tokens of CRM.interface, the key that signs them, and what became of them."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import STDIN, Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment, plural, short
from accord.ports.token import TokenRefused

if TYPE_CHECKING:
    from accord.interface.tokens.desk import Desk
    from accord.ports.token import Claims
    from accord.state.token_log import Noted

token = App(name="token", help="Issue, check and revoke the tokens of CRM.interface.")

Shown = Annotated[str, Parameter(help="The token; - reads it from standard input.")]
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LINES = 50


@token.command
def issue(
    user: Annotated[str, Parameter(help="The CRM user for whom it speaks.")],
    /,
    *,
    lifetime: Annotated[
        str, Parameter(name="--for", help="How long it holds: 30m, 8h, 7d.")
    ] = "8h",
    once: Annotated[bool, Parameter(help="It opens one session and no more.")] = False,
    call: CallArgument,
) -> int:
    """Issue a token for a CRM user and print it.

    It goes to standard output alone, and what it is to standard error, so that
    `accord token issue anna > token` writes nothing but the token.
    """
    length = duration(lifetime)
    with desk(call) as found:
        made = found.issue(user, length, once=once, by=me())
    call.data({"token": made.text, **_said(made.claims)})
    if not call.json:
        call.raw(made.text + "\n")
        call.note(_words(made.claims), style="dim", markup=False)
    return exits.OK


@token.command
def check(
    token: Shown,
    /,
    *,
    user: Annotated[str, Parameter(help="The name that was given beside it.")] = "",
    call: CallArgument,
) -> int:
    """Say for whom a token speaks, or why for nobody.

    A token for one session is used up by this, as by any session.
    """
    with desk(call) as found:
        try:
            claims = found.check(_text(token), user=user)
        except TokenRefused as refused:
            return _refused(call, refused)
    call.data({"valid": True, **_said(claims)})
    call.say(f"valid  {_words(claims)}", markup=False)
    return exits.OK


@token.command
def rotate(
    *,
    keep: Annotated[
        str, Parameter(help="How long older keys still verify; 0s refuses their tokens at once.")
    ] = "",
    call: CallArgument,
) -> int:
    """Sign with a new key from now on.

    Without --keep the older keys verify until the last of their tokens has expired.
    """
    length = duration(keep, zero=True) if keep else None
    with desk(call) as found:
        key, retired = found.rotate(length, by=me())
    call.data({"key": key.id, "retired": retired})
    call.say(
        f"key {key.id} signs from now on; {plural(retired, 'older key')} retired", markup=False
    )
    return exits.OK


@token.command
def revoke(
    id_: Annotated[str, Parameter(help="A token's id, or the token; - reads it.")] = "",
    /,
    *,
    user: Annotated[str, Parameter(help="All tokens of this CRM user instead.")] = "",
    before: Annotated[
        datetime | None, Parameter(help="Only those issued up to then; without it, up to now.")
    ] = None,
    call: CallArgument,
) -> int:
    """Revoke a token, or all of a user's: no session opens with it any more.

    Tokens issued to the user afterwards hold.
    """
    if bool(id_) == bool(user) or (before and not user):
        raise Usage("which token?", "give its id, or --user NAME, with --before TIME if you like")
    if user:
        return _revoke_user(call, user, before.astimezone(UTC) if before else None)
    id_ = _id(_text(id_))
    with desk(call) as found:
        seen = found.has_seen(id_)
        found.revoke(id_, by=me())
    call.data({"revoked": id_, "seen": seen})
    call.say(f"token {id_} revoked", markup=False)
    if not seen:
        call.note("no token of this id was issued or seen here", style="yellow")
    return exits.OK


@token.command
def log(
    *,
    user: Annotated[str | None, Parameter(help="Only what was said to be this user's.")] = None,
    event: Annotated[
        str | None,
        Parameter(help="Only this: issued, rotated, revoked, refused or, say, refused:forged."),
    ] = None,
    id_: Annotated[str | None, Parameter(name="--id", help="Only the token with this id.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.", show_default=True)] = LINES,
    call: CallArgument,
) -> int:
    """List what happened to tokens, newest first: issued, revoked, refused and why.

    Names and ids of refused tokens are what they said, not what is proven. The same event of an
    hour is one line with a count.
    """
    from accord.service.bootstrap import require_near

    with call.accord() as accord, accord.state.read() as tx:
        found = tx.token_log.query(user=user, event=event, token=id_, limit=limit)
    for line in found:
        call.data(line)
        _show(call, line)
    if not found:
        require_near(call.config(), "what happens to tokens is noted there")
        call.say(
            "Nothing has happened to tokens yet." if not (user or event or id_) else "Nothing."
        )
    return exits.OK


@token.command
def key(
    file: Annotated[Path, Parameter(help="The file to write; it must not be there yet.")],
    /,
    *,
    call: CallArgument,
) -> int:
    """Write the key that signs into a file, for a connector on another machine.

    Whoever has it can issue tokens for every CRM user: move it as you would move a password.
    """
    from accord.formats.token import key_text

    with desk(call) as found:
        signing = found.signer().key()
    _write_private(call.here / file, key_text(signing) + "\n")
    call.data({"key": signing.id, "file": str(file)})
    call.say(f"key {signing.id} written to {file}; only you may read it", markup=False)
    return exits.OK


@contextmanager
def desk(call: Call) -> Iterator[Desk]:
    """Open Accord and the desk that its accord.toml describes."""
    from accord.service.bootstrap import open_desk

    with call.accord() as accord:
        yield open_desk(accord, call.config())


def duration(text: str, *, zero: bool = False) -> timedelta:
    """Return what `8h`, `30m` or `1d12h` mean; raises Usage."""
    parts = re.findall(r"([0-9]{1,9})([smhdw])", text)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not (seconds or zero):
        raise Usage(f"{text!r} is no length of time", "write 90s, 30m, 8h, 7d, 2w or 1d12h")
    if not parts:
        raise Usage("a length of time is empty", "write 90s, 30m, 8h, 7d, 2w or 1d12h")
    return timedelta(seconds=seconds)


def _refused(call: Call, refused: TokenRefused) -> int:
    reason, hint = refused.refusal, refused.hint
    call.data({"valid": False, "refused": reason, "error": str(refused), "hint": hint})
    call.say(f"refused ({reason}): {refused}", markup=False)
    call.say(f"    {hint}", style="dim", markup=False)
    return exits.FAILED


def _write_private(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Usage(
            f"can't write {path}: {error.strerror}", "name a file that isn't there"
        ) from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)


def _revoke_user(call: Call, user: str, before: datetime | None) -> int:
    with desk(call) as found:
        done = found.revoke_user(user, before, by=me())
        known = found.admits(user)
    call.data({"user": user, "before": done.before, "known": known})
    call.say(f"all tokens of {user} issued up to {moment(done.before)} revoked", markup=False)
    if not known:
        call.note(f"the CRM lets in nobody called {user}", style="yellow", markup=False)
    return exits.OK


def _id(text: str) -> str:
    """Return a token's id, of the token itself where that was given."""
    from accord.formats.token import FORM, read

    return read(text).claims.id if text.startswith(f"{FORM}.") else text


def _text(given: str) -> str:
    if given != str(STDIN):
        return given
    line = sys.stdin.readline().strip()
    if not line:
        raise Usage("there is no token on standard input", "give it in one line")
    return line


def _said(claims: Claims) -> dict[str, object]:
    return {name: getattr(claims, name) for name in claims.__struct_fields__}


def _words(claims: Claims) -> str:
    sessions = "one session" if claims.once else "any session"
    until = moment(claims.expires)
    return f"for {claims.user}, {sessions} until {until}; id {claims.id}"


def _show(call: Call, line: Noted) -> None:
    times = f"  {line.times:,} times" if line.times > 1 else ""
    who = "  ".join(filter(None, [line.user and f"user {line.user}", line.peer]))
    word = "key" if line.event == "rotated" else "token"
    which = f"  {word} {line.token}" if line.token else ""
    by = f" (by {line.by})" if line.by else ""
    head = f"{moment(line.last)}  {line.event}{times}  {who}{which}{by}"
    call.say(short(head, 300), markup=False)
    if line.why:
        call.say(f"    {line.why}", style="dim", markup=False)


def me() -> str:
    """Return who runs this, for the log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
