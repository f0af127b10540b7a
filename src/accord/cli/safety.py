"""`accord backup`, `restore` and `erase`: what is kept of people, and what must go."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.ask import agreed, user
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.state.purging import Purged


def backup(
    file: Annotated[Path, Parameter(help="The file to write; it must not be there yet.")],
    /,
    *,
    call: CallArgument,
) -> int:
    """Back up Accord's own database, while others go on working with it.

    The key file and the list of erasures beside it are not in the backup: keep them, apart from
    it (with a key command, its keys and accord.erasures beside accord.toml). Without the keys
    passwords and private entries can't be read. PostgreSQL is backed up with its own pg_dump.
    """
    from accord.service.backup import back_up

    config = call.config()
    size = back_up(config, _path(call, file))
    call.data({"file": str(file), "bytes": size})
    keys = "the keys" if config.key_command else "the key file"
    call.say(f"{file}: {size:,} bytes; keep {keys} apart from it", markup=False)
    return exits.OK


def restore(
    file: Annotated[Path, Parameter(help="A file that `accord backup` wrote.")],
    /,
    *,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    even_running: Annotated[
        bool, Parameter(help="On PostgreSQL: although the service gives signs of life there.")
    ] = False,
    call: CallArgument,
) -> int:
    """Put a backup in the place of Accord's database. Stop everything that runs before.

    While somebody works with the database nothing is done, and the exit code is 2. Whoever was
    erased since the backup is erased from it, too. Then every visit is held until `accord check
    --accept`; look at `accord plan --all-steps` before you synchronize. On SQLite the database that
    was there is kept beside it; on PostgreSQL it is gone: `accord backup` keeps it.
    """
    from accord.service.backup import restore as service

    config = call.config()
    if not agreed(call, f"Put {file} in the place of {config.shown_database}?", yes=yes):
        call.note("Nothing was changed.")
        return exits.OK
    done = service(config, _path(call, file), even_running=even_running)
    call.data({"restored": str(file), "erased": done.purged, "former": done.former})
    call.say(f"{file} was put back", markup=False)
    if done.purged is not None:
        call.say(f"erased from it: {_told(done.purged)}")
    if done.former:
        call.say(f"the database that was there is now {done.former}", markup=False)
    call.say("Look at `accord plan --all-steps`, then run `accord check --accept`.")
    return exits.OK


def erase(
    *person: Annotated[str, Parameter(help="E-mail addresses, or refs of CRM contacts.")],
    plan: Annotated[bool, Parameter(help="Only show what would be erased.")] = False,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    call: CallArgument,
) -> int:
    """Erase a person: their CRM contact, its copies in mailboxes, and what Accord keeps of them.

    Snapshots, before-images, journal texts, waiting changes and reports of visits are purged, and
    can't be undone. Where several contacts share an address nothing is done before refs, beside
    the address or alone, name those who are the person; the others stay. What both sides agree on
    now, such as a meeting with the person, stays as it stands there. The erasure is kept as keyed
    hashes, and repeated on every backup put back. Exit code 1 says that something was left, such as
    links of the person's own, which go on until they are withdrawn; mend it, and erase again.
    """
    from accord.service import erasing
    from accord.service.bootstrap import open_queue

    if not person:
        raise Usage("who?", "give an e-mail address, or the ref of a CRM contact")
    with call.accord() as accord:
        wanted = erasing.find(accord, *person)
        people = [f"{ref} {name}".strip() for ref, name in wanted.contacts.items()]
        call.say("- " + ", ".join((*wanted.addresses, *people)), markup=False)
        for ref, name in wanted.others.items():
            shares = "shares an address, isn't named, and stays"
            call.say(f"- {f'{ref} {name}'.strip()} {shares}", markup=False)
        for link in wanted.links:
            call.say(f"- copies of {link.name} go", markup=False)
        call.say(f"{plural(wanted.copies, 'copy', 'copies')} in mailboxes", markup=False)
        if plan:
            links, own = ([link.name for link in some] for some in (wanted.links, wanted.own))
            told = {"addresses": wanted.addresses, "contacts": sorted(wanted.contacts)}
            told["others"] = sorted(wanted.others)
            call.data({**told, "links": links, "own": own})
        if wanted.own:
            call.note(wanted.goes_on, markup=False)
        if plan:
            return exits.OK
        if not agreed(call, f"Erase {' '.join(person)} for good?", yes=yes):
            call.note("Nothing was changed.")
            return exits.OK
        with closing(open_queue(call.config())) as queue:
            done = erasing.erase(accord, wanted, queue, by=user())
    call.data({"erased": done.purged, "left": done.left})
    call.say(f"erased: {_told(done.purged)}")
    for one in done.left:
        call.note(f"left: {one}", markup=False)
    return exits.FAILED if done.left else exits.OK


def _told(purged: Purged) -> str:
    counts = (
        plural(purged.images, "image"),
        f"what {plural(purged.entries, 'journal entry', 'journal entries')} told",
        plural(purged.decisions, "decision"),
        plural(purged.waiting, "waiting change"),
    )
    kept = plural(purged.kept, "snapshot")
    return ", ".join(counts) + f"; {kept} of what stands on both sides still name them"


def _path(call: Call, file: Path) -> Path:
    return file if file.is_absolute() else call.here / file
