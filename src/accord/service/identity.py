"""Make sure that systems and users are those we knew: a backup put back or a clone isn't followed.

A visit asks before it reads anything; `accord check --accept` says that the change was meant.
"""

from __future__ import annotations

from contextlib import suppress

from accord.db.whereabouts import file_of, whereabouts
from accord.ports.errors import ConfigError
from accord.service import erasures, witness
from accord.service.accord import Accord
from accord.state.records import Trouble

CRM = "crm"
OWN = "accord"
MEANT = (
    "If that is meant, run `accord check --accept`, then look at `accord plan --all-steps` before "
    "you synchronize"
)
RESTORED = f"was a backup restored or a database copied? {MEANT}"
_MOVED = "Accord's own database is a copy, or was put back"
_TARGET = "target/"
_TABLE = "state_settings"


def verify(accord: Accord, target: str = "") -> None:
    """Note who the CRM and a target (its id) say they are; raises ConfigError for a stranger.

    Accord's own database comes first: what a copy, or an older one, knows of others is no measure.
    """
    said = {OWN: _own(accord), CRM: (accord.crm.instance, revision(accord))}
    if target:
        said[instance_key(target)] = _said(accord, target)
    with accord.state.read() as tx:
        news = tx.instances.news(said)
    if (wrong := _own_trouble(accord, moved=OWN in news)) is not None:
        hint = f"{MEANT}; if this is a copy, let it never synchronize"
        raise ConfigError(f"held: {wrong}", field="database", hint=hint)
    for name in news:
        if name != OWN:
            _known(accord, name, *said[name])


def own_trouble(accord: Accord) -> str | None:
    """Say what is wrong with where Accord's own database is and how far it has come, if anything.

    What is seen for the first time is noted.
    """
    said = {OWN: _own(accord)}
    with accord.state.read() as tx:
        news = tx.instances.news(said)
    return _own_trouble(accord, moved=bool(news))


def own_trouble_seen(accord: Accord) -> str | None:
    """Say what `own_trouble` would, for who only looks: nothing is noted."""
    place, _ = _own(accord)
    with accord.state.read() as tx:
        known = tx.instances.named(OWN)
    return _MOVED if known and known != place else _went_back(accord)


def attest(accord: Accord) -> None:
    """Let the witness beside the database know how far it has come."""
    if file_of(accord.state.database) is not None:
        with accord.state.read() as tx:
            newest = tx.journal.newest()
        witness.tell(accord.state.database, newest)


def observe(accord: Accord, name: str, instance: str, stand: int = 0) -> Trouble | None:
    """Note who a side says it is, at which revision; returns what is wrong, and then notes nothing.

    Another process may note a higher revision before this one is; so a side is asked again before
    it is taken for one that went back. What others note after that says nothing against it.
    """
    with accord.state.begin(durable=accord.state.shared) as tx:
        trouble = tx.instances.observe(name, instance, stand)
    if trouble is None or trouble.instance != instance:
        return trouble
    stand = revision(accord, name)
    with accord.state.begin() as tx:
        again = tx.instances.observe(name, instance, stand)
    if again is not None and again.instance == instance and stand >= trouble.revision:
        return None
    return again


def accept(accord: Accord) -> None:
    """Take CRM, targets and Accord's own database for what they are now; cursors are dropped.

    The next visit lists everything anew, so that nothing is judged by a history that never was.
    Whoever was erased is erased again first: an older database may still know them. A target that
    can't be opened as it is set up is left as it was.
    """
    erasures.replay(accord.state, accord.crm)
    with accord.state.read() as tx:
        targets = [target.id for target in tx.targets.all()]
    said = {
        OWN: _own(accord),
        CRM: (accord.crm.instance, revision(accord)),
    }
    for target in targets:
        with suppress(ConfigError):
            said[instance_key(target)] = _said(accord, target)
    with accord.state.begin() as tx:
        for name, (instance, stand) in said.items():
            tx.instances.accept(name, instance, stand)
        for target in targets:
            tx.settings.put(older_key(target), None)
        for link, side in tx.cursors.all():
            tx.cursors.drop(link, side)
        newest = tx.journal.newest()
    witness.tell(accord.state.database, newest, anew=True)


def require_user(accord: Accord, user: str) -> None:
    """Raise AuthFailed for a stranger to the CRM, and for whom it doesn't let in."""
    with accord.crm.open(user) as session:
        # Opening alone asks nothing of a CRM on another machine.
        session.folders()


def instance_key(target: str) -> str:
    """Return the name under which state knows the instance of a target."""
    return f"{_TARGET}{target}"


def older_key(target: str) -> str:
    """Return the setting that notes a target's items which were older within the hour."""
    return f"older/{target}"


def revision(accord: Accord, name: str = CRM) -> int:
    """Return the highest revision of the CRM, or of what state knows so; 0 where it counts none."""
    side: object = accord.crm if name == CRM else accord.adapter(name.removeprefix(_TARGET))
    return int(getattr(side, "revision", 0))


def _own(accord: Accord) -> tuple[str, int]:
    return whereabouts(accord.state.database, _TABLE), 0


def _own_trouble(accord: Accord, *, moved: bool) -> str | None:
    if moved:
        # Before: a transaction within one needs a second connection, and there are only so many.
        own = _own(accord)
        with accord.state.begin() as tx:
            if tx.instances.observe(OWN, *own) is not None:
                return _MOVED
    return _went_back(accord)


def _went_back(accord: Accord) -> str | None:
    """Say how far Accord's own database went back, as the witness beside it tells."""
    seen = witness.seen(accord.state.database)
    if not seen:
        return None
    with accord.state.read() as tx:
        newest = tx.journal.newest()
    if seen <= newest:
        return None
    return f"Accord's own database went back from journal entry {seen} to {newest}"


def _said(accord: Accord, target: str) -> tuple[str, int]:
    return accord.adapter(target).instance, revision(accord, instance_key(target))


def _known(accord: Accord, name: str, instance: str, stand: int) -> None:
    trouble = observe(accord, name, instance, stand)
    if trouble is None:
        return
    why = trouble.why
    if name != CRM:
        with accord.state.read() as tx:
            target = tx.targets.get(name.removeprefix(_TARGET))
        why = why.replace(name, f"target {target.name if target else name}")
    moved = name != CRM and trouble.instance != trouble.seen_instance
    hint = f"was it moved? {MEANT}" if moved else RESTORED
    field = CRM if name == CRM else "target"
    raise ConfigError(f"held: {why}", field=field, hint=hint)
