"""`accord mail`: look into a person's mailbox as e-mail tracking will, and try what it may do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment, plural, short

if TYPE_CHECKING:
    from accord.ports.adapter import Outcome
    from accord.ports.mailbox import Letter, Mailbox, MailFolder

mail = App(name="mail", help="Look at a person's e-mails on a mail server; nothing is sent.")

Target = Annotated[str, Parameter(help="The target, as `accord targets` lists it.")]
Person = Annotated[str, Parameter(help="Whose mailbox: its address.")]
Folder = Annotated[str, Parameter(help="A folder's path or id, as `folders` lists them.")]
Yes = Annotated[bool, Parameter(help="Do it; without it only what would be done is shown.")]
SHOWN = 50


@mail.command
def folders(target: Target, person: Person, /, *, call: CallArgument) -> int:
    """List the folders that hold e-mails, with how many."""
    with _mailbox(call, target, person) as mailbox:
        for each in mailbox.mail_folders():
            call.data(each)
            call.say(f"{_named(each)}  {each.total:,}, {each.unread:,} unread", markup=False)
    return exits.OK


@mail.command(name="list")
def list_(
    target: Target,
    person: Person,
    folder: Folder,
    /,
    *,
    subfolders: Annotated[bool, Parameter(help="Those below it, too.")] = False,
    unread: Annotated[bool, Parameter(help="Only those that nobody has read.")] = False,
    limit: Annotated[int, Parameter(help="How many of a folder.", show_default=True)] = SHOWN,
    call: CallArgument,
) -> int:
    """List the e-mails of a folder, newest first. Nothing is marked as read."""
    with _mailbox(call, target, person) as mailbox:
        for each in _chosen(mailbox.mail_folders(), folder, below=subfolders):
            if subfolders:
                call.say(_named(each), style="bold", markup=False)
            for letter in islice(mailbox.letters(each.id, unread=unread), max(limit, 0)):
                call.data({"folder": each.id, **_plain(letter)})
                _show(call, letter)
    return exits.OK


@mail.command
def show(
    target: Target,
    person: Person,
    ref: Annotated[str, Parameter(help="The e-mail's ref, as `list` shows it.")],
    /,
    *,
    original: Annotated[bool, Parameter(help="Print the original as it arrived.")] = False,
    call: CallArgument,
) -> int:
    """Print one e-mail: what it says, or its original. It stays unread if it was."""
    with _mailbox(call, target, person) as mailbox:
        found = mailbox.letter(ref)
    if original:
        sys.stdout.flush()
        sys.stdout.buffer.write(found.raw)
        sys.stdout.buffer.flush()
        return exits.OK
    call.data({"ref": found.ref, "read": found.read, "mail": found.mail})
    said = found.mail
    for name, value in (
        ("From", said.sender),
        ("To", said.to),
        ("Cc", said.cc),
        ("Date", said.sent),
        ("Subject", said.subject),
        ("Attachments", [each.name for each in said.attachments]),
    ):
        if value:
            call.say(f"{name}: {short(value, 300)}", markup=False)
    if said.body is not None:
        call.say("")
        call.say(said.body.text, markup=False)
    return exits.OK


@mail.command
def mark(
    target: Target,
    person: Person,
    /,
    *refs: Annotated[str, Parameter(help="Refs, as `list` shows them.")],
    unread: Annotated[bool, Parameter(help="As unread.")] = False,
    yes: Yes = False,
    call: CallArgument,
) -> int:
    """Mark e-mails as read; no sender gets a receipt."""
    word = "unread" if unread else "read"
    if not _meant(call, refs, f"mark {plural(len(refs), 'e-mail')} of {person} as {word}", yes=yes):
        return exits.OK
    with _mailbox(call, target, person) as mailbox:
        return _told(call, refs, mailbox.mark_letters(refs, read=not unread), f"marked as {word}")


@mail.command
def move(
    target: Target,
    person: Person,
    /,
    *refs: Annotated[str, Parameter(help="Refs, as `list` shows them.")],
    to: Folder,
    yes: Yes = False,
    call: CallArgument,
) -> int:
    """Move e-mails into another folder of the mailbox."""
    with _mailbox(call, target, person) as mailbox:
        (folder,) = _chosen(mailbox.mail_folders(), to, below=False)
        what = f"move {plural(len(refs), 'e-mail')} of {person} into {_named(folder)}"
        if not _meant(call, refs, what, yes=yes):
            return exits.OK
        return _told(call, refs, mailbox.move_letters(refs, folder.id), "moved")


@contextmanager
def _mailbox(call: Call, target: str, person: str) -> Iterator[Mailbox]:
    from accord.ports.mailbox import Mailbox

    with call.accord() as accord, accord.adapter(target).open(person) as session:
        if not isinstance(session, Mailbox):
            raise Usage(f"{target}: this kind of target has no e-mails", "name an Exchange target")
        yield session


def _chosen(found: Sequence[MailFolder], text: str, *, below: bool) -> list[MailFolder]:
    """Return the folder that a text names, with those below it; raises Usage where none does."""
    wanted = text.strip("/").casefold()
    named = [each for each in found if each.id == text or _named(each).casefold() == wanted]
    if not named:
        hint = f"folders there: {', '.join(_named(each) for each in found[:SHOWN]) or 'none'}"
        raise Usage(f"there is no folder {text!r:.200}", hint)
    top = named[0]
    if not below:
        return [top]
    return [each for each in found if each.path[: len(top.path)] == top.path]


def _named(folder: MailFolder) -> str:
    return "/".join(folder.path)


def _meant(call: Call, refs: Sequence[str], what: str, *, yes: bool) -> bool:
    if not refs:
        raise Usage("which e-mails?", "`accord mail list` shows refs")
    if not yes:
        call.say(f"would {what}; --yes does it", markup=False)
        call.data({"would": what, "refs": list(refs)})
    return yes


def _told(call: Call, refs: Sequence[str], outcomes: Sequence[Outcome], done: str) -> int:
    from accord.ports.adapter import Written

    failed = 0
    for ref, outcome in zip(refs, outcomes, strict=True):
        if isinstance(outcome, Written):
            call.data({"ref": ref, "now": outcome.ref})
            call.say(f"{done}: {outcome.ref or ref}", markup=False)
        else:
            failed += 1
            call.data({"ref": ref, "error": str(outcome)})
            call.errors.print(f"{ref}: {outcome}", style="red", markup=False)
    return exits.FAILED if failed else exits.OK


def _plain(letter: Letter) -> dict[str, object]:
    return {
        "ref": letter.ref,
        "read": letter.read,
        "mail": letter.mail,
        **({"error": letter.why} if letter.why else {}),
    }


def _show(call: Call, letter: Letter) -> None:
    said = letter.mail
    if said is None:
        call.say(f"{letter.ref}  {letter.why}", style="yellow", markup=False)
        return
    sign = " " if letter.read else "*"
    who = short(said.sender) if said.sender else "(nobody)"
    size = f"{max(said.size // 1024, 1):,} kB"
    when = moment(said.received or said.sent)
    call.say(f"{sign} {when}  {who}  {short(said.subject)}  {size}", markup=False)
    call.say(f"    {letter.ref}", style="dim", markup=False)
