"""Who has a mailbox, who may act for whom, and which folders every mailbox has from the start."""

from __future__ import annotations

import hmac

from accord.sandbox.exchange.errors import EwsError, SoapFault
from accord.sandbox.exchange.store import Folder, Mailbox, Store
from accord.sandbox.exchange.xml import Node, local

ROLES = {
    "root": ("", "root", None),
    "msgfolderroot": ("root", "Top of Information Store", None),
    "calendar": ("msgfolderroot", "Calendar", "IPF.Appointment"),
    "contacts": ("msgfolderroot", "Contacts", "IPF.Contact"),
    "deleteditems": ("msgfolderroot", "Deleted Items", "IPF.Note"),
    "drafts": ("msgfolderroot", "Drafts", "IPF.Note"),
    "inbox": ("msgfolderroot", "Inbox", "IPF.Note"),
    "journal": ("msgfolderroot", "Journal", "IPF.Journal"),
    "junkemail": ("msgfolderroot", "Junk Email", "IPF.Note"),
    "notes": ("msgfolderroot", "Notes", "IPF.StickyNote"),
    "outbox": ("msgfolderroot", "Outbox", "IPF.Note"),
    "sentitems": ("msgfolderroot", "Sent Items", "IPF.Note"),
    "tasks": ("msgfolderroot", "Tasks", "IPF.Task"),
    "searchfolders": ("root", "Finder", None),
    "recoverableitemsroot": ("root", "Recoverable Items", None),
    "recoverableitemsdeletions": ("recoverableitemsroot", "Deletions", None),
}
"""Distinguished folders: the role of the parent, the name and the class."""
_SELECT = "SELECT id, address, name, login, password, sid, impersonates FROM mailbox WHERE "


class People:
    """Know the accounts of the server's mailboxes and what each may do."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        address: str,
        password: str,
        *,
        name: str = "",
        login: str = "",
        impersonates: bool = False,
    ) -> Mailbox:
        """Give somebody a mailbox; `login` is the account's name, the address by default."""
        store = self._store
        with store.writing():
            number = 1 + int(str(store.rows("SELECT coalesce(max(id), 0) FROM mailbox")[0][0]))
            sid = f"S-1-5-21-1004336348-1177238915-682003330-{1000 + number}"
            row = store.run(
                "INSERT INTO mailbox (address, name, login, password, sid, impersonates)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                *(address.lower(), name or address.partition("@")[0].title()),
                *((login or address).lower(), password, sid, int(impersonates)),
            )
            rows: dict[str, int] = {}
            for role, (parent, title, kind) in ROLES.items():
                rows[role] = store.add_folder(row, rows.get(parent), title, kind, role).id
        found = self.by("id = ?", row)
        assert found is not None
        return found

    def renew(self, mailbox: Mailbox, password: str, *, impersonates: bool) -> None:
        """Give an account another password, and the application's role or not."""
        with self._store.writing():
            self._store.run(
                "UPDATE mailbox SET password = ?, impersonates = ? WHERE id = ?",
                *(password, int(impersonates), mailbox.id),
            )

    def all(self) -> list[Mailbox]:
        """Return all mailboxes in the order in which they were made."""
        return [_mailbox(row) for row in self._store.rows(_SELECT + "1 ORDER BY id")]

    def also(self, mailbox: Mailbox, address: str) -> None:
        """Give a mailbox one more address."""
        with self._store.writing():
            self._store.run("INSERT INTO proxy VALUES (?, ?)", address.lower(), mailbox.id)

    def grant(self, owner: Mailbox, to: Mailbox, level: str) -> None:
        """Let somebody see (`reader`) or change (`editor`) another's mailbox; `none` takes it.

        With `details` somebody sees more than free and busy times, with `hidden` not even those.
        """
        with self._store.writing():
            self._store.run("REPLACE INTO access VALUES (?, ?, ?)", owner.id, to.id, level)

    def may(self, actor: Mailbox, mailbox: int, *, change: bool) -> bool:
        """Tell whether an account may read or change what is in a mailbox."""
        level = self.level(actor, mailbox)
        return level in ("owner", "editor") if change else level in ("owner", "editor", "reader")

    def level(self, actor: Mailbox, mailbox: int) -> str:
        """Return what an account is to a mailbox: its owner, what was granted, or none."""
        if actor.id == mailbox:
            return "owner"
        query = "SELECT level FROM access WHERE mailbox = ? AND grantee = ?"
        found = self._store.rows(query, mailbox, actor.id)
        return str(found[0][0]) if found else "none"

    def by(self, where: str, *values: object) -> Mailbox | None:
        """Return the mailbox for which a condition holds."""
        rows = self._store.rows(_SELECT + where, *values)
        return _mailbox(rows[0]) if rows else None

    def by_address(self, address: str) -> Mailbox | None:
        """Return the mailbox that has this address, first or further."""
        where = "address = ?1 OR id = (SELECT mailbox FROM proxy WHERE address = ?1)"
        return self.by(where, address.strip().lower())

    def beginning(self, text: str, most: int) -> list[Mailbox]:
        """Return the mailboxes whose address, account or name begins with a text, in any case."""
        like = text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
        where = "address LIKE ?1 ESCAPE '!' OR login LIKE ?1 ESCAPE '!' OR name LIKE ?1 ESCAPE '!'"
        rows = self._store.rows(f"{_SELECT}{where} ORDER BY address LIMIT ?2", like, most)
        return [_mailbox(row) for row in rows]

    def log_in(self, login: str, password: str) -> Mailbox | None:
        """Return the mailbox of an account if the password is right; DOMAIN\\NAME counts, too."""
        bare = login.rpartition("\\")[2].lower()
        found = self.by("login = ?1 OR address = ?1", bare)
        if found is None or not hmac.compare_digest(found.password.encode(), password.encode()):
            return None
        return found

    def impersonated(self, account: Mailbox, header: Node) -> Mailbox:
        """Return whom an account acts as. Raises SoapFault where it may not or nobody is there."""
        named = header[0][0]
        text = (named.text or "").strip()
        if not account.impersonates:
            raise SoapFault("ErrorImpersonateUserDenied")
        match local(named):
            case "PrimarySmtpAddress":
                found, missing = self.by("address = ?", text.lower()), "ErrorNonExistentMailbox"
            case "SmtpAddress":
                found, missing = self.by_address(text), "ErrorNonExistentMailbox"
            case "PrincipalName":
                found = self.by("login = ?1 OR address = ?1", text.lower())
                missing = "ErrorInvalidUserPrincipalName"
            case _:
                found, missing = self.by("sid = ?", text), "ErrorInvalidUserSid"
        if found is None:
            raise SoapFault(missing)
        return found


def distinguished(store: Store, mailbox: int, role: str) -> Folder:
    """Return a mailbox's folder of this role. Raises EwsError where there is none."""
    found = store.folders("mailbox = ? AND role = ?", mailbox, role)
    if not found:
        raise EwsError("ErrorFolderNotFound")
    return found[0]


def _mailbox(row: tuple[object, ...]) -> Mailbox:
    return Mailbox(*row[:6], bool(row[6]))  # type: ignore[arg-type, call-arg]
