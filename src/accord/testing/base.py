"""What all contract suites share: the fixtures an author overrides, and one place per kind.

The cases stand in `writing`, `finding` and `listing`; `groupware` and `crm` put them together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from accord.model.fields import FIELDS
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.ports.adapter import Adapter, Session
from accord.ports.clock import Timed
from accord.ports.identity import Identified
from accord.testing.place import Hand, Place, SecondSession
from accord.testing.samples import samples

F = TypeVar("F", bound=Callable[..., Any])

invented = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
"""How many items a case invents: each one is a few requests to a real server."""


def only(*kinds: Kind) -> Callable[[F], F]:
    """Run a case for these kinds only."""

    def mark(case: F) -> F:
        case.__dict__["only_kinds"] = kinds
        return case

    return mark


class Contract:
    """Be the base of all suites. Say in `kinds` what the adapter carries; override `adapter`."""

    kinds: ClassVar[tuple[Kind, ...]] = (Kind.EVENT, Kind.TASK, Kind.CONTACT)

    @pytest.fixture
    def adapter(self) -> Adapter:
        """Return the adapter under test; override this."""
        raise NotImplementedError("override the fixture `adapter`")

    @pytest.fixture
    def principal(self) -> str:
        """Return whom to open sessions for."""
        return "ann@example.com"

    @pytest.fixture
    def own(self, principal: str) -> str:
        """Return the principal's e-mail address."""
        return principal if "@" in principal else f"{principal}@example.com"

    @pytest.fixture
    def session(self, adapter: Adapter, principal: str) -> Iterator[Session]:
        """Open a session for the test."""
        with adapter.open(principal) as session:
            yield session

    @pytest.fixture
    def folder(self, session: Session, kind: Kind) -> str:
        """Return a folder for the kind: the default one, else the first that can be written."""
        fit = [f for f in session.folders() if kind in f.kinds and f.writable]
        assert fit, f"there is no writable folder for {kind}"
        return next((f.id for f in fit if f.default), fit[0].id)

    @pytest.fixture
    def other_hand(self, adapter: Adapter, principal: str) -> Hand:
        """Return somebody who works in the same folder behind our back."""
        return SecondSession(adapter, principal)

    @pytest.fixture
    def place(self, adapter: Adapter, session: Session, folder: str, kind: Kind) -> Place:
        """Return the folder under test."""
        return Place(session, folder, kind, adapter.traits.kinds[kind])

    def missing_ref(self, ref: str) -> str:
        """Return a ref of the same form that isn't there; override where refs have a checksum."""
        return f"{ref}0"

    def takes(self, item: Item) -> bool:
        """Tell whether the side can hold an item at all; override where it refuses some whole."""
        return True

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each case for each kind, and those with a sample for each sample."""
        wanted = getattr(metafunc.function, "only_kinds", self.kinds)
        kinds = [kind for kind in self.kinds if kind in wanted]
        if "sample" in metafunc.fixturenames:
            pairs = [(k, name) for k in kinds for name in samples(k, "")]
            metafunc.parametrize(("kind", "sample"), pairs, ids=[f"{k}-{n}" for k, n in pairs])
        elif "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", kinds, ids=[str(kind) for kind in kinds])

    # what an adapter says about itself

    def test_it_declares_what_is_true(self, adapter: Adapter) -> None:
        """The traits name the kinds under test, fields that exist, and sensible sizes."""
        assert set(adapter.traits.kinds) - {Kind.MAIL} == set(self.kinds)
        for kind, traits in adapter.traits.kinds.items():
            assert traits.fields | traits.readonly <= set(FIELDS[kind])
            assert set(traits.limits) <= traits.fields
        assert adapter.traits.adapter
        assert min(adapter.traits.batch, adapter.traits.page, adapter.traits.concurrency) >= 1

    def test_its_instance_stays_the_same(self, adapter: Adapter, principal: str) -> None:
        """The instance is known and does not change from session to session."""
        before = adapter.instance
        with adapter.open(principal):
            assert adapter.instance == before != ""

    def test_check_finds_nothing_wrong(self, adapter: Adapter, principal: str) -> None:
        """A working target passes its own check."""
        findings = adapter.check(principal)
        assert findings
        assert [finding for finding in findings if not finding.ok] == []

    def test_folders_have_ids_of_their_own(self, session: Session) -> None:
        """No two folders share an id, and each has a name for people."""
        folders = session.folders()
        assert len({folder.id for folder in folders}) == len(folders) > 0
        assert all(folder.name for folder in folders)

    def test_a_mailbox_says_who_it_is_without_asking(
        self, adapter: Adapter, session: Session, principal: str
    ) -> None:
        """Its ids last from session to session, and each is said once."""
        if not isinstance(session, Identified):
            return
        session.folders()
        before = adapter.requests
        told = session.identity()
        assert adapter.requests == before
        assert len({name for name, _ in told}) == len(told)
        assert all(value for _, value in told)
        with adapter.open(principal) as again:
            assert isinstance(again, Identified) and again.identity() == told

    def test_requests_are_counted(self, adapter: Adapter, place: Place) -> None:
        """What a pull costs can be read off the adapter."""
        before = adapter.requests
        place.pull()
        assert adapter.requests > before

    def test_requests_are_charged_to_who_has_them_made(
        self, adapter: Adapter, place: Place
    ) -> None:
        """Many visits are under way at the same time, and none pays for another."""
        paid: list[int] = []

        def visit() -> None:
            before = adapter.requests
            place.pull()
            paid.append(adapter.requests - before)

        before = adapter.requests
        thread = threading.Thread(target=visit)
        thread.start()
        thread.join()
        assert adapter.requests == before
        assert paid[0] > 0

    def test_a_clock_is_told_without_asking(self, adapter: Adapter, session: Session) -> None:
        """What a session says of the system's clock is from answers that it got anyway."""
        session.folders()
        before = adapter.requests
        told = session.clock() if isinstance(session, Timed) else None
        assert adapter.requests == before
        assert told is None or 0 <= told.age < 60

    def test_a_closed_session_refuses(self, adapter: Adapter, principal: str, kind: Kind) -> None:
        """Calls after close are errors, not answers."""
        with adapter.open(principal) as session:
            folder = next(f.id for f in session.folders() if kind in f.kinds)
        with pytest.raises(Exception):  # noqa: B017, PT011 (whichever error the library raises)
            list(session.changes(folder, kind, "", lambda refs: {}))
