"""`accord crm users`: who there is in the built-in CRM, their addresses, groups and rights."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from accord.cli import ask, exits
from accord.cli.call import Call, CallArgument
from accord.cli.crm import administration
from accord.cli.errors import Usage
from accord.model.kinds import Kind
from accord.model.names import name_of
from accord.ports.errors import Denied, Gone, ItemError

if TYPE_CHECKING:
    from accord.crm.database.admin import Administration
    from accord.crm.database.users import User
    from accord.service.consent import Consent

users = App(name="users", help="List, add and change users and groups.")

Name = Annotated[str, Parameter(help="The user's name.")]
Addresses = Annotated[
    tuple[str, ...], Parameter(name="--address", help="An address; again for more, the main first.")
]
Display = Annotated[str | None, Parameter(help="The name as people write it.")]
Zone = Annotated[str | None, Parameter(help="Their time zone, such as Europe/Berlin.")]
Contacts = Annotated[
    str | None,
    Parameter(help="Which contacts they have: own, all or list (`accord crm users choose`)."),
]


@users.default
@users.command(name="list")
def list_(*, call: CallArgument) -> int:
    """List all users."""
    with administration(call) as admin:
        found = admin.users()
    for user in found:
        _show(call, user)
    return exits.OK


@users.command
def add(
    name: Name,
    /,
    *,
    address: Addresses = (),
    display_name: Display = None,
    time_zone: Zone = None,
    contacts: Contacts = None,
    admin: Annotated[bool, Parameter(help="May see and change everything.")] = False,
    call: CallArgument,
) -> int:
    """Add a user."""
    values = _given(
        display_name=display_name, time_zone=time_zone, contacts=contacts, admin=admin or None
    )
    with administration(call) as crm:
        _show(call, crm.add_user(name, *address, **values))
    return exits.OK


@users.command
def change(
    name: Name,
    /,
    *,
    address: Addresses = (),
    display_name: Display = None,
    time_zone: Zone = None,
    contacts: Contacts = None,
    admin: Annotated[bool | None, Parameter(negative="--no-admin")] = None,
    active: Annotated[bool | None, Parameter(negative="--no-active")] = None,
    call: CallArgument,
) -> int:
    """Change what is named of a user; their addresses are replaced as a whole."""
    values = _given(
        addresses=address or None,
        display_name=display_name,
        time_zone=time_zone,
        contacts=contacts,
        admin=admin,
        active=active,
    )
    with administration(call) as crm:
        crm.user(name)
        _show(call, crm.change_user(name, **values))
    return exits.OK


@users.command
def group(
    name: Annotated[str, Parameter(help="The group's name.")],
    *members: Annotated[str, Parameter(help="All of its members, by user name.")],
    call: CallArgument,
) -> int:
    """Make a group, or give it other members."""
    with administration(call) as crm:
        crm.put_group(name, *members)
        found = crm.groups()[name]
    call.data({"group": name, "members": found})
    call.say(f"{name}: {', '.join(found) or 'nobody'}", markup=False)
    return exits.OK


@users.command
def choose(
    name: Name,
    /,
    *refs: Annotated[str, Parameter(help="Refs of contacts, as `accord crm list contact` shows.")],
    remove: Annotated[bool, Parameter(help="Take them off the list.")] = False,
    call: CallArgument,
) -> int:
    """Put contacts on a user's own list: those, and no others, are theirs with `--contacts list`.

    With `--contacts own` they have what is on their list beside their own contacts. A user can
    choose only what they may read. Where one ref is wrong, the list stays as it is.
    """
    if not refs:
        raise Usage("REFS: which contacts?", _WHERE_REFS)
    with administration(call) as crm:
        user = crm.user(name)
        titles = {ref: _title(crm, name, ref) for ref in refs}
        try:
            crm.choose(name, *titles, chosen=not remove)
        except Gone as error:
            raise Usage(f"REFS: {error}", _WHERE_REFS) from error
        except Denied as error:
            raise Usage(f"REFS: {error}", _OPEN_IT) from error
    for ref, title in titles.items():
        call.data({"user": name, "ref": ref, "chosen": not remove})
        call.say(f"{'off' if remove else 'on'} the list  {ref}  {title}".rstrip(), markup=False)
    if not remove and user.contacts == "all":
        call.say(f"{name} has all contacts, chosen or not, until you say --contacts list of them")
    return exits.OK


@users.command
def level(
    name: Name,
    kind: Annotated[Kind, Parameter(help="The kind of records.")],
    right: Annotated[str, Parameter(help="none, read or write.")],
    /,
    *,
    call: CallArgument,
) -> int:
    """Say what a user may do at all with records of a kind."""
    with administration(call) as crm:
        crm.set_level(name, kind, right)
        _show(call, crm.user(name))
    return exits.OK


@users.command
def consent(
    name: Annotated[str, Parameter(help="The user's name; without one, all who agree.")] = "",
    /,
    *,
    withdraw: Annotated[bool, Parameter(help="They agree no longer.")] = False,
    call: CallArgument,
) -> int:
    """Note that a user agrees to have private entries taken in full.

    Only then does `private = "full"` of a rule hold for them. What was taken in full is reduced
    to "busy" again, in the CRM and in what Accord keeps, once they agree no longer.
    """
    from accord.service.consent import consenting, set_consent

    with call.accord() as accord:
        if not name and withdraw:
            raise Usage("who?", "name the user who agrees no longer")
        if not name:
            found = consenting(accord)
            for each in found:
                call.data({"user": each, "private": "full"})
                call.say(each, markup=False)
            if not found:
                call.say("Nobody agrees to have private entries taken in full.")
            return exits.OK
        done = set_consent(accord, name, given=not withdraw, by=ask.user())
    call.data(done)
    call.say(f"{name} {_stands(done)}", markup=False)
    if done.links:
        call.say(f"The next visit acts on it: {', '.join(done.links)}", markup=False)
    elif done.given:
        call.say('No rule of theirs says private = "full" yet.', markup=False)
    return exits.OK


_WHERE_REFS = "`accord crm list contact --as USER` shows the refs of that user's contacts"
_OPEN_IT = (
    "let them see it first: `accord crm show REF --as OWNER | accord crm put --as OWNER --ref REF "
    "--visibility everyone`"
)


def _title(crm: Administration, user: str, ref: str) -> str:
    """Return what a contact is called; nothing where the user may not know that."""
    with suppress(ItemError):
        return name_of(crm.show(user, Kind.CONTACT, ref).item)
    return ""


def _stands(done: Consent) -> str:
    if done.given:
        return "agrees: private entries are taken in full, encrypted where Accord keeps them"
    if done.changed:
        return "no longer agrees: private entries stay out of the CRM or show as busy"
    return "had not agreed"


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _show(call: Call, user: User) -> None:
    call.data(user)
    parts = [user.name, user.display_name, ", ".join(user.addresses) or "no address"]
    parts += [word for word, said in (("admin", user.admin), ("inactive", not user.active)) if said]
    if user.groups:
        parts.append(f"in {', '.join(user.groups)}")
    parts += [f"{kind}: {right}" for kind, right in user.levels.items()]
    call.say("  ".join(part for part in parts if part), markup=False)
