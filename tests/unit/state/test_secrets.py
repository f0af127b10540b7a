"""Keys stay with their owner, values with their record, and rotation loses neither."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from sqlalchemy import text

from accord.db import Database
from accord.engine.replies import Kept
from accord.model.kinds import Side
from accord.model.replies import Replies
from accord.ports.errors import ConfigError
from accord.state import Cause, Intent, Pending, State, Target
from accord.state.secrets import CommandKeys, FileKeys, Keys
from tests.unit.state.build import NOW, Clock, furnish, pairing, snapshot


@pytest.fixture
def keys(key_file: Path) -> Keys:
    return FileKeys(key_file)


def test_the_key_file_is_its_owners_alone(keys: Keys, key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600
    keys.add()
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == [key_file.name]


def test_the_key_file_is_made_once(keys: Keys, key_file: Path) -> None:
    sealed = keys.seal(b"data", "record")
    before = key_file.read_bytes()
    assert FileKeys(key_file).open(sealed, "record") == b"data"
    assert key_file.read_bytes() == before


def test_two_installations_have_different_keys(keys: Keys, tmp_path: Path) -> None:
    other = FileKeys(tmp_path / "other.key")
    with pytest.raises(ConfigError, match="which is not in"):
        other.open(keys.seal(b"data", "record"), "record")
    assert keys.digest(b"data") != other.digest(b"data")


@pytest.mark.parametrize("data", [b"", b"swordfish", bytes(range(256)) * 100])
def test_what_is_sealed_opens(keys: Keys, data: bytes) -> None:
    sealed = keys.seal(data, "record")
    assert keys.open(sealed, "record") == data
    assert data == b"" or data not in sealed
    assert sealed != keys.seal(data, "record")


def test_what_is_sealed_opens_nowhere_else(keys: Keys) -> None:
    with pytest.raises(ConfigError, match="altered"):
        keys.open(keys.seal(b"data", "target:1"), "target:2")


@pytest.mark.parametrize("place", [0, 1, 5, 17, -1])
def test_what_was_altered_does_not_open(keys: Keys, place: int) -> None:
    sealed = bytearray(keys.seal(b"data", "record"))
    sealed[place] ^= 1
    with pytest.raises(ConfigError):
        keys.open(bytes(sealed), "record")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01abcd"])
def test_what_is_too_short_does_not_open(keys: Keys, sealed: bytes) -> None:
    with pytest.raises(ConfigError):
        keys.open(sealed, "record")


def test_a_key_file_that_others_may_read_is_refused(keys: Keys, key_file: Path) -> None:
    key_file.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read") as caught:
        FileKeys(key_file)
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("content", ["", "# nothing\n", "zz zz\n", "00112233 AAAA\n", "\xe9\n"])
def test_a_broken_key_file_says_so(key_file: Path, content: str) -> None:
    key_file.touch(mode=0o600)
    key_file.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError) as caught:
        FileKeys(key_file)
    assert caught.value.field == "key_file"


def test_a_key_file_in_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't write"):
        FileKeys(tmp_path / "missing" / "accord.key")


def test_keys_show_nothing(keys: Keys, key_file: Path) -> None:
    secret = key_file.read_text().split()[1]
    assert secret not in repr(keys) + str(vars(keys))


def test_an_added_key_seals_and_the_old_one_still_opens(keys: Keys, key_file: Path) -> None:
    old = keys.seal(b"data", "record")
    elsewhere = FileKeys(key_file)
    keys.add()
    new = keys.seal(b"data", "record")
    assert [keys.is_current(old), keys.is_current(new)] == [False, True]
    assert keys.open(old, "record") == b"data"
    assert elsewhere.open(new, "record") == b"data", "other processes follow"
    assert elsewhere.is_current(new)


def test_a_retired_key_opens_nothing(keys: Keys, key_file: Path) -> None:
    old = keys.seal(b"data", "record")
    keys.add()
    new = keys.seal(b"data", "record")
    assert keys.retire() == 1
    for each in (keys, FileKeys(key_file)):
        assert each.open(new, "record") == b"data"
        with pytest.raises(ConfigError, match="which is not in"):
            each.open(old, "record")


def test_rotation_seals_everything_anew(state: State, key_file: Path) -> None:
    target = Target(id="t2", name="dav", adapter="dav", side=Side.CRM, secrets={"password": "x"})
    intent = Intent(id="k", link="a", run="r", side=Side.CRM, step=b"{}", at=NOW)
    waiting = Pending(id="1", link="a", ref_crm="c1", cause=Cause.HELD, step=b"{}", at=NOW)
    hidden = [pairing(n, crm=snapshot(f"c{n}", private=True)) for n in range(1200)]
    kept = Kept(before=Replies(inside="private words"))
    with state.begin() as tx:
        tx.targets.put(target)
        tx.intents.open_many([intent])
        tx.pending.put(waiting)
        tx.replies.put("a", kept)
        tx.pairings.put_many("a", hidden)
    assert state.rotate_keys(retire=True) == 1204
    assert len(key_file.read_text().splitlines()) == 1
    fresh = State(state.database, key_file, state.clock)
    with fresh.read() as tx:
        assert tx.targets.get("t2") == target
        assert tx.intents.all() == [intent]
        assert tx.pending.all() == [waiting]
        assert tx.replies.get("a") == kept
        assert sorted(tx.pairings.all("a"), key=lambda p: p.id) == sorted(
            hidden, key=lambda p: p.id
        )


class Manager:
    """Be a program that prints keys, and count how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.file = FileKeys(folder / "managed")
        self.asked = 0
        self.text: str | None = None

    def __call__(self) -> str:
        self.asked += 1
        return self.file.path.read_text() if self.text is None else self.text

    def keys(self) -> CommandKeys:
        return CommandKeys(self, "what vault prints", self.file.path.with_name("erasures"))


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


def test_a_program_is_asked_once_and_again_for_a_key_that_is_not_known(manager: Manager) -> None:
    keys, first = manager.keys(), manager.file.seal(b"one", "record")
    for _ in range(3):
        keys.refresh()
        assert keys.open(first, "record") == b"one"
    assert manager.asked == 1
    manager.file.add()
    second = manager.file.seal(b"two", "record")
    assert keys.open(second, "record") == b"two"
    assert keys.open(first, "record") == b"one"
    assert manager.asked == 2
    # It seals under the new one from then on, too.
    assert manager.file.is_current(keys.seal(b"three", "record"))
    assert (keys.newest, keys.older) == (manager.file.newest, manager.file.older)


def test_a_program_is_not_asked_over_and_over_for_a_lost_key(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, other = manager.keys(), FileKeys(tmp_path / "other")
    sealed = other.seal(b"data", "record")
    for _ in range(3):
        with pytest.raises(ConfigError, match=f"the key {other.newest}.* what vault prints") as one:
            keys.open(sealed, "record")
    assert (one.value.field, manager.asked) == ("key_command", 2)
    # Brought back, it is found without a new start.
    manager.text = other.path.read_text() + manager.file.path.read_text()
    monkeypatch.setattr("accord.state.secrets._AGAIN", 0.0)
    assert keys.open(sealed, "record") == b"data"


def test_a_running_state_follows_a_rotation_by_its_manager(
    database: Database, manager: Manager
) -> None:
    running, console = State(database, manager.keys()), State(database, manager.keys())
    target = Target(id="t2", name="x", adapter="dav", side=Side.CRM, secrets={"p": "y"})
    with running.begin() as tx:
        tx.targets.put(target)
    manager.file.add()
    assert (console.rotate_keys(), console.rotate_keys(retire=True)) == (1, 0)
    assert len(manager.file.path.read_text().splitlines()) == 2
    with running.begin() as tx:
        assert tx.targets.get("t2") == target
        tx.targets.put(Target(id="t3", name="z", adapter="dav", side=Side.CRM, secrets={"p": "y"}))
    assert console.rotate_keys() == 0
    manager.file.retire()
    with State(database, manager.keys()).read() as tx:
        assert tx.targets.get("t2") == target


def test_what_a_program_prints_is_shown_nowhere(manager: Manager) -> None:
    secret = manager.file.path.read_text().split()[1]
    assert secret not in repr(manager.keys()) + str(vars(manager.keys()))


_KEY = base64.b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "what vault prints holds no key"),
        ("# none\n\n", "what vault prints holds no key"),
        (f"# one\ndeadbeef {_KEY[:-4]}", "line 2 of what vault prints is no key"),
        (f"deadbeef{_KEY}", "line 1 of what vault prints is no key"),
        (f"deadbee {_KEY}", "line 1 of what vault prints is no key"),
        ("\ufffd\0" * 9, "line 1 of what vault prints is no key"),
        (f"deadbeef {_KEY}\ndeadbeef {_KEY.replace('a', 'b')}", "the id of another key, deadbeef"),
    ],
)
def test_what_is_no_key_is_told_by_its_line_alone(
    manager: Manager, text: str, message: str
) -> None:
    keys, manager.text = manager.keys(), text
    with pytest.raises(ConfigError, match=message) as caught:
        keys.add()
    assert caught.value.field == "key_command"
    assert "8 hex digits and 32 bytes" in caught.value.hint
    assert _KEY[:8] not in str(caught.value) + caught.value.hint
    # A process that runs goes on with what it has.
    assert keys.open(manager.file.seal(b"data", "record"), "record") == b"data"
    assert (keys.newest, keys.older) == (manager.file.newest, [])


def test_a_key_listed_twice_is_as_new_as_its_last_line(manager: Manager) -> None:
    first = manager.file.path.read_text()
    manager.file.add()
    manager.text = manager.file.path.read_text() + first
    assert [manager.keys().newest] == manager.file.older


def test_rotation_needs_a_key_file(database: Database, clock: Clock) -> None:
    with pytest.raises(ConfigError, match="no key"):
        State(database, clock=clock).rotate_keys()


def test_a_running_state_follows_a_rotation(database: Database, key_file: Path) -> None:
    running, console = State(database, key_file), State(database, key_file)
    furnish(running, "a")
    console.rotate_keys()
    with running.begin() as tx:
        tx.targets.put(Target(id="t2", name="x", adapter="dav", side=Side.CRM, secrets={"p": "y"}))
        sealed = tx.db.execute(text("SELECT secrets FROM state_targets WHERE id = 't2'"))
        assert console.keys is not None
        assert console.keys.is_current(bytes(sealed.scalar_one())[1:])


def test_a_database_without_its_key_file_says_so(
    state: State, database: Database, tmp_path: Path
) -> None:
    with state.begin() as tx:
        tx.targets.put(Target(id="t2", name="x", adapter="dav", side=Side.CRM, secrets={"p": "y"}))
    lost = State(database, tmp_path / "new.key")
    with lost.read() as tx, pytest.raises(ConfigError, match="target:t2") as caught:
        tx.targets.get("t2")
    assert "restore the key file" in caught.value.hint
