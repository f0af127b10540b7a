"""The CRM's own identity, its settings and its check."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from accord.crm.database import DatabaseCrm, build
from accord.crm.database.admin import Administration
from accord.db import open_database
from accord.model.item import Mail
from accord.model.kinds import Kind
from accord.ports.errors import ConfigError
from tests.unit.crm.office import Office


def test_the_instance_outlives_the_process_but_not_a_copy(tmp_path: Path) -> None:
    home = tmp_path / "crm.sqlite"
    with closing(build({"url": f"sqlite:///{home}"})) as crm:
        first = crm.instance
        Administration(crm).add_user("ann")
    with closing(build({"url": f"sqlite:///{home}"})) as crm:
        assert crm.instance == first
    copy = tmp_path / "copy.sqlite"
    shutil.copy(home, copy)
    with closing(build({"url": f"sqlite:///{copy}"})) as crm:
        other = crm.instance
        assert other != first
    with closing(build({"url": f"sqlite:///{copy}"})) as crm:
        assert crm.instance == other, "a copy is always the same other CRM"
        assert crm.settle() == first == crm.instance
    with closing(build({"url": f"sqlite:///{copy}"})) as crm:
        assert crm.instance == first


def test_two_databases_are_two_crms(database_url: str, tmp_path: Path) -> None:
    with (
        closing(build({"url": database_url})) as one,
        closing(build({"url": f"sqlite:///{tmp_path / 'other.sqlite'}"})) as other,
    ):
        assert one.instance != other.instance
        assert "/" not in one.instance


def test_the_revision_only_grows(office: Office) -> None:
    before = office.crm.revision
    office.create(office.ann, office.event())
    assert office.crm.revision > before


def test_it_tells_by_one_short_look_whether_users_or_groups_have_changed(office: Office) -> None:
    admin, crm, ann = office.admin, office.crm, office.ann
    group = f"sales-{office.tag}"
    seen = [crm.users_version()]

    def changes(what: Callable[[], object]) -> bool:
        what()
        seen.append(crm.users_version())
        return seen[-1] != seen[-2]

    main, second = f"{ann}@example.com", f"{ann}@example.org"
    for what in (
        lambda: admin.change_user(f"eve-{office.tag}", time_zone="Europe/Berlin"),
        lambda: admin.change_user(ann, addresses=(main, second)),
        lambda: admin.change_user(ann, addresses=(second, main)),
        lambda: admin.change_user(ann, display_name="Ann Berg"),
        lambda: admin.change_user(ann, active=False),
        lambda: crm.choose_contacts(ann, "all"),
        lambda: admin.put_group(group),
        lambda: admin.put_group(group, ann, office.bob),
        lambda: admin.put_group(group, office.bob),
    ):
        assert changes(what) and not changes(what)
    assert len(set(seen)) == 10, "what was before never comes again"
    assert not changes(lambda: office.create(office.bob, office.event()))
    asked = list[str]()
    engine = crm.store.database.engine
    note = lambda _c, _u, words, *_: asked.append(words)  # noqa: E731
    event.listen(engine, "before_cursor_execute", note)
    crm.users_version()
    event.remove(engine, "before_cursor_execute", note)
    (query,) = (words for words in asked if words.startswith("SELECT"))
    assert "FROM crm_facts" in query


def test_a_shared_database_stays_open(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path / 'crm.sqlite'}")) as database:
        crm = DatabaseCrm(database, shared=True)
        crm.close()
        assert crm.revision == 0


def test_it_lives_in_memory_too() -> None:
    with closing(build({"url": "sqlite://"})) as crm:
        office = Office(crm)
        made = office.create(office.ann, office.event(office.bob))
        assert made.ref in office.pull(office.bob, Kind.EVENT).seen


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "url"),
        ({"url": "nonsense"}, "database"),
        ({"url": "oracle://x/y"}, "database"),
        ({"url": "sqlite:////nowhere/at/all/crm.sqlite"}, "database"),
        ({"url": "sqlite://", "page": 0}, "page"),
        ({"url": "sqlite://", "colour": "red"}, "colour"),
        ({"url": "no address", "password": "x"}, "url"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(settings)
    assert caught.value.field == field


def test_check_says_what_to_mend(office: Office) -> None:
    assert all(finding.ok for finding in office.crm.check(office.ann))
    office.admin.change_user(office.ann, addresses=())
    bad = [finding for finding in office.crm.check(office.ann) if not finding.ok]
    assert [finding.subject for finding in bad] == ["addresses"]
    assert "accord crm users" in bad[0].hint
    (stranger,) = [one for one in office.crm.check("nobody") if not one.ok]
    assert stranger.subject == "user"
    assert all(finding.ok for finding in office.crm.check())


def test_users_and_groups_are_kept(office: Office) -> None:
    ann = office.admin.change_user(
        office.ann, display_name="Ann", time_zone="Europe/Berlin", admin=True, contacts="all"
    )
    team = f"team-{office.tag}"
    office.admin.put_group(team, office.ann, office.bob)
    office.admin.set_level(office.ann, Kind.TASK, "read")
    again = office.admin.user(office.ann)
    assert (again.display_name, again.time_zone, again.admin) == ("Ann", "Europe/Berlin", True)
    assert (again.groups, again.levels, again.contacts) == ((team,), {"task": "read"}, "all")
    assert ann.addresses == again.addresses == (f"{office.ann}@example.com",)
    assert office.admin.groups()[team] == (office.ann, office.bob)
    assert office.ann in {user.name for user in office.admin.users()}
    for wrong in (
        lambda: office.admin.user("nobody"),
        lambda: office.admin.add_user(office.ann),
        lambda: office.admin.add_user(" "),
        lambda: office.admin.put_group(team, "nobody"),
        lambda: office.admin.set_level(office.ann, Kind.TASK, "some"),
        lambda: office.admin.set_level("nobody", Kind.TASK, "read"),
        lambda: office.admin.put(office.ann, office.event(), group="nowhere"),
        lambda: office.admin.put(office.ann, office.event(), visibility="some"),
        lambda: office.admin.share(office.ann, Kind.TASK, "x"),
        lambda: office.admin.put(office.ann, Mail(subject="x")),
        lambda: office.admin.add_user(f"eve-{office.tag}", "notanaddress"),
        lambda: office.admin.change_user(office.ann, addresses=("a@x.test, b@x.test",)),
        lambda: office.admin.change_user(office.ann, time_zone="Foo/Bar"),
    ):
        with pytest.raises(ConfigError):
            wrong()
    assert office.admin.groups()[team] == (office.ann, office.bob)
    assert office.admin.user(office.ann) == again
    assert f"eve-{office.tag}" not in {user.name for user in office.admin.users()}


def test_a_zone_that_is_almost_one_is_named(office: Office) -> None:
    with pytest.raises(ConfigError) as refusal:
        office.admin.change_user(office.ann, time_zone="Europe/Berln")
    assert "Europe/Berlin?" in refusal.value.hint


def test_a_fault_of_ours_is_not_called_a_refusal(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = office.crm.store

    def broken(work: object) -> None:
        raise OperationalError("SELECT", {}, Exception("no such table"))

    monkeypatch.setattr(store, "run", broken)
    with pytest.raises(OperationalError):
        office.create(office.ann, office.event())
