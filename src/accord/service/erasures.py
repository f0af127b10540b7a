"""Who was erased, as keyed hashes in a file of their own: so that no backup brings anybody back.

The file lies beside the key file, or beside accord.toml where a program prints the keys, and
outlives every database; its first line is its key. In the
database only the hashes are kept, which tell nothing to those who lack the file.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.ports.errors import ConfigError
from accord.state.ids import new_id
from accord.state.purging import Purged
from accord.state.records import Erasure
from accord.state.state import State


@runtime_checkable
class Erasing(Protocol):
    """Be a CRM whose records can be erased for good."""

    def bearing(self, addresses: Iterable[str], refs: Iterable[str] = ()) -> Mapping[str, Contact]:
        """Return by ref the contacts that have one of the addresses or are named so themselves.

        Whoever owns them, deleted ones too; of erased ones nothing is left.
        """
        ...

    def erase(self, kind: Kind, *refs: str) -> None:
        """Remove the content of records, whoever owns them."""
        ...

    def erase_known(self, kind: Kind, known: Callable[[str], bool]) -> int:
        """Remove the content of all records of a kind that are known so by ref."""
        ...


def remember(state: State, names: Iterable[str], by: str) -> None:
    """Note an erasure of somebody's addresses and refs, in the file first, then in the database.

    Raises ConfigError where the file of earlier ones is gone.
    """
    with state.read() as tx:
        first = not tx.erasures.all()
    # Under a new key the hashes that are there would tell nobody any more, and silently so.
    key = _key(state, make=first)
    hashes = tuple(sorted(_hash(key, name) for name in names))
    _append(_file(state), hashes)
    with state.begin() as tx:
        tx.erasures.put(
            Erasure(id=new_id(), person="", addresses=hashes, by=by, at=tx.context.now())
        )


def knower(state: State) -> Callable[[str], bool] | None:
    """Return what tells whether a name is of somebody erased; None where nobody was.

    Raises ConfigError where the file is gone that tells.
    """
    with state.read() as tx:
        hashes = {each for erasure in tx.erasures.all() for each in erasure.addresses}
    file = _file(state, required=False)
    known = _lines(file)[1:] if file is not None else []
    hashes |= set(known)
    if not hashes:
        return None
    key, asked = _key(state), dict[str, bool]()

    def tell(name: str) -> bool:
        if name not in asked:
            asked[name] = bool(name) and _hash(key, name) in hashes
        return asked[name]

    return tell


def replay(state: State, crm: object = None, *, erased: bool = False) -> Purged | None:
    """Erase anew everybody who ever was, in the CRM too where it can; None where nobody was.

    Where their records are `erased`, or are now, visits go on to delete copies that still stand.
    """
    known = knower(state)
    if known is None:
        return None
    if isinstance(crm, Erasing):
        crm.erase_known(Kind.CONTACT, known)
    return state.purge(known, empty=erased or isinstance(crm, Erasing))


def _hash(key: bytes, name: str) -> str:
    return hmac.digest(key, name.casefold().encode(), "sha256").hex()


def _file(state: State, *, required: bool = True) -> Path | None:
    if state.keys is None:
        if required:
            raise ConfigError("there is no key", field="key_file", hint="name a key file first")
        return None
    return state.keys.erasures


def _key(state: State, *, make: bool = False) -> bytes:
    file = _file(state)
    assert file is not None
    if make and not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as fresh:
            fresh.write(f"{secrets.token_hex(32)}\n")
    lines = _lines(file)
    if not lines:
        raise ConfigError(
            f"people were erased, and {file} is gone, which tells whom",
            field=state.keys.field if state.keys is not None else "",
            hint="bring it back from where you keep it, or from the machine that erased first",
        )
    return bytes.fromhex(lines[0])


def _append(file: Path | None, hashes: Iterable[str]) -> None:
    assert file is not None
    with file.open("a", encoding="ascii") as more:
        more.writelines(f"{each}\n" for each in hashes)
        more.flush()
        os.fsync(more.fileno())


def _lines(file: Path | None) -> list[str]:
    if file is None or not file.exists():
        return []
    return file.read_text(encoding="ascii").split()
