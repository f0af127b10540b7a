"""A person's folders: what there is, the default of each kind, and making what lacks.

`server` looks them up and remembers them; `session` plans and makes the CRM's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import FOLDER, Client, field, kept, own
from accord.groupware.exchange.errors import of_folder, of_state
from accord.groupware.exchange.kinds import FORMS, of_class
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.wire import Message, Node
from accord.model.kinds import Kind
from accord.ports.adapter import Folder
from accord.ports.errors import AccordError, ConfigError, Denied, ItemError, Rejected
from accord.ports.folders import Named
from accord.ports.mailbox_state import MailboxState

OWN_BOOK = "CRM contacts"
"""What the folder is called into which contacts go where the settings name none."""

TRASH, ROOT = "deleteditems", "msgfolderroot"
_PATHS = ("folder:ParentFolderId", "folder:FolderClass", "folder:DisplayName")
_RIGHTS = "folder:EffectiveRights"
_SETTING = {Kind.EVENT: "calendar", Kind.TASK: "task_list", Kind.CONTACT: "address_book"}


class Found(Struct, frozen=True, kw_only=True):
    """Be one folder: `ref` is what Accord calls it, `place` the server's id.

    `planned` is how one that a person made by hand was called while it lacked.
    """

    ref: str
    place: str
    name: str
    kinds: frozenset[Kind]
    writable: bool
    trash: bool = False
    planned: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """Be what a person has: folders, the ids of their own ones by role, and those that lack.

    `whole` is false where only the person's own folders could be looked at, as with rights on
    single folders: then nothing can be proven to be nowhere.
    """

    found: tuple[Found, ...]
    roles: dict[str, str]
    lacking: tuple[Found, ...] = ()
    whole: bool = True

    def folder(self, ref: str) -> Found | None:
        """Return the folder that Accord calls so, or called so before somebody made it."""
        exact = next((each for each in self.found if each.ref == ref), None)
        made = next((each for each in self.found if ref and each.planned == ref), None)
        return replace(made, ref=ref) if exact is None and made is not None else exact

    def lack(self, ref: str) -> Found | None:
        """Return the folder that Accord calls so, where it isn't there yet."""
        return next((each for each in self.lacking if each.ref == ref), None)

    def at(self, place: str) -> Found | None:
        """Return the folder of a server's id."""
        return next((each for each in self.found if each.place == place), None)

    def holding(self, kind: Kind) -> list[Found]:
        """Return the folders that may hold items of a kind, in the trash last."""
        fit = [each for each in self.found if kind in each.kinds]
        return sorted(fit, key=lambda each: each.trash)


def discover(client: Client, config: Config) -> Place:
    """Ask for the person's folders; raises what forbids to look at all."""
    paths = [*map(field, (*_PATHS, _RIGHTS)), own(FOLDER)]
    roles = [form.role for form in FORMS.values()] + [TRASH, ROOT]
    answers = client.get_folders([f"@{role}" for role in roles], paths)
    by_role = {r: a for r, a in zip(roles, answers, strict=True) if a.error is None}
    if not by_role:
        raise _nothing(answers)
    nodes = {_id(n): n for a in by_role.values() for n in a.all("Folders", "*")}
    own_ids = {r: _id(n) for r, a in by_role.items() for n in a.all("Folders", "*")}
    whole = ROOT in own_ids
    try:
        nodes |= {_id(n): n for n in client.find_folders(f"@{ROOT}", paths)} if whole else {}
    except ItemError:
        whole = False
    nodes.pop(own_ids.get(ROOT, ""), None)
    trash = own_ids.get(TRASH, "")
    found = tuple(_found(node, below(node, nodes, trash), config) for node in nodes.values())
    lacking = tuple(_planned(config, found))
    return Place(found=found, roles=own_ids, lacking=lacking, whole=whole and bool(trash))


def folders(config: Config, place: Place) -> tuple[Folder, ...]:
    """Return the folders that hold something we carry, defaults first, nothing in the trash."""
    usable = _usable(place)
    defaults = {_default(config, place, usable, kind) for kind in FORMS}
    listed = [
        Folder(
            id=each.ref,
            name=each.name,
            kinds=each.kinds,
            default=each.ref in defaults,
            writable=each.writable,
        )
        for each in usable
    ]
    return tuple(sorted(listed, key=lambda f: (not f.default, f.name.casefold(), f.id)))


def named_in_settings(config: Config, place: Place, kind: Kind) -> Named | None:
    """Return the folder of a kind that the settings name, or the one of the CRM's contacts.

    Among them is one that the first write makes; None where it is the person's own.
    """
    name = default_name(config, kind)
    if not name:
        return None
    ref = _default(config, place, _usable(place), kind)
    there = bool(ref) and place.lack(ref) is None
    planned = _alias(kind, name) if _made_by_us(config, kind) else ""
    return Named(setting=_SETTING[kind], name=name, folder=ref, there=there, planned=planned)


def _usable(place: Place) -> list[Found]:
    return [each for each in (*place.found, *place.lacking) if each.kinds and not each.trash]


def identity(place: Place) -> tuple[tuple[str, str], ...]:
    """Return what tells this mailbox from every other: nobody can delete these folders.

    Where only single folders are open to the account, the top one isn't seen.
    """
    lasting = (ROOT, *(form.role for form in FORMS.values()))
    return tuple((role, place.roles[role]) for role in lasting if place.roles.get(role))


def named(place: Place, name: str, kind: Kind) -> Found | None:
    """Return the folder of this name for items of a kind."""
    fit = [each for each in place.holding(kind) if not each.trash]
    return next((each for each in fit if each.name.casefold() == name.casefold()), None)


def make(client: Client, name: str, kind: Kind, mark: str = "") -> None:
    """Make a folder below the person's own one; one that is there already is no error.

    Raises Denied or Rejected where the server doesn't allow it.
    """
    form = FORMS[kind]
    answer = client.make_folder(f"@{form.role}", form.folder, name, form.folder_class, mark)
    if answer.error is not None and answer.error.code != "ErrorFolderExists":
        raise answer.error


def remove(client: Client, place: str, name: str) -> None:
    """Move a folder into Deleted Items; raises Rejected where anything is in it."""
    if client.sync(place, "", 1).changes:
        raise Rejected(f"{name!r} isn't empty", code="not-empty")
    answer = client.delete_folder(place)
    if answer.error is not None:
        raise answer.error


def make_planned(client: Client, lacking: Found) -> None:
    """Make a folder that the first write needs; raises ConfigError where that is refused."""
    (kind,) = lacking.kinds
    try:
        make(client, lacking.name, kind, lacking.ref)
    except ItemError as error:
        raise ConfigError(
            f"{lacking.name!r} can't be made for {kind}s: {error}",
            field=_SETTING[kind],
            hint="make it by hand, or name another one in the target's settings or in the link",
        ) from error


def default_name(config: Config, kind: Kind) -> str:
    """Return the name of the folder to use; empty for the person's own one."""
    name = str(getattr(config, _SETTING[kind])).strip()
    return name or (OWN_BOOK if kind is Kind.CONTACT else "")


def _default(config: Config, place: Place, usable: Iterable[Found], kind: Kind) -> str:
    name = default_name(config, kind)
    if not name:
        own_place = place.roles.get(FORMS[kind].role)
        return next((each.ref for each in usable if each.place == own_place), "")
    fit = [each for each in usable if kind in each.kinds]
    exact = [each for each in fit if each.ref == _alias(kind, name)]
    same = [each for each in fit if each.name.casefold() == name.casefold()]
    return next((each.ref for each in [*exact, *same]), "")


def _planned(config: Config, found: tuple[Found, ...]) -> Iterable[Found]:
    """Yield the folders that lack and that the first write makes."""
    for kind in FORMS:
        name = default_name(config, kind)
        ref = _alias(kind, name)
        if _made_by_us(config, kind) and not any(ref in (e.ref, e.planned) for e in found):
            yield Found(ref=ref, place="", name=name, kinds=frozenset({kind}), writable=True)


def _made_by_us(config: Config, kind: Kind) -> bool:
    named_one = bool(str(getattr(config, _SETTING[kind])).strip())
    return config.create_missing if named_one else bool(default_name(config, kind))


def _alias(kind: Kind, name: str) -> str:
    """Return what a folder that Accord makes is called before and after it is there.

    It is marked so: whatever a person calls it later, it is known.
    """
    return f"~{kind}:{name}"


def _found(node: Node, trash: bool, config: Config) -> Found:
    kinds = of_class(wire.text_at(node, "FolderClass"))
    # Most people's folders are called alike: one text serves all of them.
    name = sys.intern(wire.text_at(node, "DisplayName") or "(without a name)")
    ref, planned = "" if trash else kept(node, FOLDER), ""
    for kind in kinds:
        wanted = (
            _made_by_us(config, kind) and name.casefold() == default_name(config, kind).casefold()
        )
        if wanted and not ref and not trash:
            # Nothing but its own id tells it from another one once its person renames it.
            planned = _alias(kind, default_name(config, kind))
    rights = wire.child(node, "EffectiveRights")
    # A server that doesn't tell is asked by trying.
    writable = rights is None or all(
        wire.is_true(wire.text_at(rights, each) or "true") for each in ("CreateContents", "Modify")
    )
    place = _id(node)
    return Found(
        ref=ref or place,
        place=place,
        name=name,
        kinds=kinds,
        writable=writable,
        trash=trash,
        planned=planned,
    )


def below(node: Node, nodes: dict[str, Node], top: str) -> bool:
    """Tell whether a folder is the one at `top` or somewhere below it."""
    for _ in range(100):
        if _id(node) == top:
            return bool(top)
        parent = wire.child(node, "ParentFolderId")
        following = nodes.get(parent.get("Id", "")) if parent is not None else None
        if following is None:
            return False
        node = following
    return False


def _id(node: Node) -> str:
    found = wire.child(node, "FolderId")
    return "" if found is None else found.get("Id", "")


def _nothing(answers: list[Message]) -> AccordError:
    """Return why none of a person's folders can be looked at."""
    error = next(each.error for each in answers if each.error is not None)
    if isinstance(error, Denied):
        closed = ConfigError(
            str(error),
            field="access",
            hint="give the account rights on the person's folders, or the role "
            "ApplicationImpersonation",
            code=error.code,
        )
        return of_state(closed, MailboxState.CLOSED)
    return of_folder(error)
