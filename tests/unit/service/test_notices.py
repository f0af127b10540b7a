"""Notices: each cause is told once, in every way that is set, encrypted, no secret in clear."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2
import pytest

from accord.groupware.dav import errors as dav
from accord.groupware.exchange import errors as exchange
from accord.ports.errors import AuthFailed, ConfigError, Gone, Rejected, Retry
from accord.ports.http import unreached
from accord.ports.queue import Entry as Waiting
from accord.ports.queue import Stage
from accord.service.config import Config
from accord.service.notices import causes
from accord.service.notices.causes import BACK, Cause, Told, shape, stand, standing, veiled
from accord.service.notices.mail import Mailer
from accord.service.notices.settings import NotifySettings, Security, SmtpSettings
from accord.service.notices.webhook import post
from accord.state.leases import LeaseLost
from tests.unit.dav.test_tls import Authority
from tests.unit.service.jobbing import Office, config
from tests.unit.service.kit import World
from tests.unit.service.postman import Hook, MailServer

pytestmark = pytest.mark.waits

NOW = timedelta(0)
HERE = "127.0.0.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "postmaster")


@pytest.fixture
def server(authority: Authority) -> Iterator[MailServer]:
    with closing(MailServer(authority.server_context(HERE))) as made:
        yield made


@pytest.fixture
def hook() -> Iterator[Hook]:
    with closing(Hook()) as made:
        yield made


def smtp(server: MailServer, authority: Authority, **more: Any) -> SmtpSettings:
    given = {"server": f"{HERE}:{server.port}", "sender": "accord@x.test", "timeout": 10.0}
    return SmtpSettings(**{**given, "ca_file": str(authority.file), **more})


def send(settings: SmtpSettings, *to: str, subject: str = "Subject") -> None:
    with Mailer(settings, Path.cwd()) as mailer:
        mailer.send(to or ["admin@x.test"], subject, "Grüße")


def test_a_mail_goes_encrypted_after_a_sign_in(
    server: MailServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "geheim")
    settings = smtp(server, authority, user="accord", password={"env": "SMTP_PASSWORD"})
    send(settings, "admin@x.test", "other@x.test", subject="What\r\nBcc: evil@x.test")
    ((to, text),) = server.mails
    assert to == ["admin@x.test", "other@x.test"] and server.secure == [True]
    assert server.logins == [("accord", "geheim")]
    message = email.message_from_string(text, policy=default)
    assert message["Subject"] == "What Bcc: evil@x.test" and message["Bcc"] is None
    assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"]
    assert message.get_content().strip() == "Grüße"
    assert "geheim" not in repr(settings)


def test_tls_from_the_first_byte(authority: Authority) -> None:
    context = authority.server_context(HERE)
    with closing(MailServer(context, at_once=True)) as server:
        send(smtp(server, authority, security=Security.TLS))
        assert server.secure == [True]


def test_a_strangers_certificate_gets_no_mail_and_no_password(
    server: MailServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "geheim")
    other = Authority(tmp_path, "somebody")
    settings = smtp(server, other, user="accord", password={"env": "SMTP_PASSWORD"})
    with pytest.raises(ConfigError, match="isn't trusted") as caught:
        send(settings)
    assert caught.value.field == "smtp.ca_file"
    assert not server.mails and not server.logins


def test_without_starttls_nothing_goes_on_in_plain_text(authority: Authority) -> None:
    with closing(MailServer()) as server:
        with pytest.raises(Retry):
            send(smtp(server, authority))
        assert not server.mails
        send(smtp(server, authority, security=Security.NONE))
        assert server.secure == [False]
    with pytest.raises(ConfigError, match="read on the way"):
        SmtpSettings(server="mail.x.test", security=Security.NONE, sender="a@x.test").place()


def test_refusals_are_told_apart(
    server: MailServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refused = {"nobody@x.test": "550 no such user", "full@x.test": "452 no room"}
    settings = smtp(server, authority)
    with pytest.raises(Rejected, match="550 no such user"):
        send(settings, "nobody@x.test")
    with pytest.raises(Retry, match="452 no room"):
        send(settings, "full@x.test")
    monkeypatch.setenv("SMTP_PASSWORD", "falsch")
    with pytest.raises(AuthFailed) as caught:
        send(smtp(server, authority, user="accord", password={"env": "SMTP_PASSWORD"}))
    assert "falsch" not in str(caught.value)
    with pytest.raises(Retry, match="no mail could be sent"):
        send(SmtpSettings(server=f"{HERE}:1", sender="a@x.test"))
    with pytest.raises(ConfigError, match=r"\[smtp\]|no mail server"):
        send(SmtpSettings())


def test_a_webhook_gets_json_with_its_token(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "geheim")
    post(NotifySettings(webhook=hook.url, token={"env": "HOOK_TOKEN"}), Path(), {"what": "x"})
    assert hook.posted == [{"what": "x"}] and hook.tokens == ["Bearer geheim"]
    monkeypatch.setenv("HOOK_URL", hook.url)
    post(NotifySettings(secret_webhook={"env": "HOOK_URL"}), Path(), {"what": "y"})
    assert len(hook.posted) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, Rejected), (400, Rejected), (401, AuthFailed), (429, Retry), (500, Retry)],
)
def test_what_a_webhook_refuses_is_an_error(hook: Hook, status: int, error: type) -> None:
    hook.status = status
    with pytest.raises(error, match=str(status)) as caught:
        post(NotifySettings(webhook=hook.url), Path(), {})
    assert "/hook" not in str(caught.value), "whoever knows the address may post there"
    assert len(hook.posted) == 1


def test_a_webhook_is_reached_by_https_alone() -> None:
    for url in ("http://hooks.x.test/a", "ftp://x.test", "nonsense"):
        with pytest.raises(ConfigError, match="no https address"):
            NotifySettings(webhook=url).address(Path())
    with pytest.raises(Retry, match="can't be reached"):
        post(NotifySettings(webhook="http://127.0.0.1:1/x"), Path(), {})


def test_what_is_quoted_and_numbers_make_no_other_cause_but_words_do() -> None:
    assert shape("it can't take 'Lunch' (17)") == shape("it can't take 'Dinner at 8' (18)")
    assert shape("it can't be read, and isn't ours") != shape("it can't be found, and isn't ours")
    assert veiled("can't take 'Lunch' or \"Dinner\"") == "can't take '…' or '…'"


EWS_ID = (
    "AAMkADk0{0}Q3LWI5ZjYtNDQ2Yi1iMzI2LTc4ZTFh{0}ZQAuAAAAAADyxNmw/3K+RaPz{0}AQBzQ3vV2n8oTLw"
    "qZk{0}+/AAA="
)
DN = "/o=First Organization/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="


def outages(who: str, id_: str) -> list[str]:
    """Return the words of the adapters for an outage, as one mailbox of many meets it."""
    at, none = f"{who}@x.test", frozenset[str]()
    url = f"https://dav.x.test/{who}/calendar/{id_}.ics"
    store = f"Mailbox <{who}.b@x.test>, {id_}"
    errors: list[Exception] = [
        dav.error_for(503, none, {}, url),
        dav.error_for(507, none, {}, f"/SOGo/dav/{who}/Calendar/personal/"),
        dav.error_for(403, none, {}, f"/principals/{at}/", f"no entry for {at}."),
        dav.error_for(404, none, {}, f"https://dav.x.test:8443/dav/{who}%40x.test/{id_}/"),
        unreached(httpx2.ReadTimeout(""), f"PROPFIND /{who}/{id_}/ on", url),
        exchange.error_for("ErrorServerBusy", "", at),
        exchange.error_for("ErrorItemNotFound", "", EWS_ID.format(id_)),
        exchange.error_for("ErrorAccessDenied", f"Access to {DN}{who} is denied.", at),
        exchange.error_for("ErrorMailboxStoreUnavailable", store, "SyncFolderItems"),
        exchange.error_for(
            "ErrorInternalServerError", f"CORP\\{who} at 0x7f{id_[:4]}", "GetFolder"
        ),
        exchange.status_error(502, {}, f"{at} at https://ex01.x.test/EWS/Exchange.asmx"),
        exchange.status_error(401, {"x-ms-diagnostics": f'2;reason="{who} {id_}"'}, at, "oauth2"),
        Gone(f"{EWS_ID.format(id_)}: the answer holds no item"),
        ConfigError(f"{who}.b@x.test has no folder '{id_}'", field="folder"),
        AuthFailed(f"login.x.test no longer takes the sign-in of {at} (AADSTS700082)"),
        Retry(f"Kerberos can't be asked for {who}@CORP.X.TEST: KDC has no support"),
        Rejected(f"{at} organizes this meeting; Exchange would make boss.{at} its organizer"),
        Rejected(f"CRM.interface: {at} may not do that"),
    ]
    return [str(error) for error in errors]


def test_what_many_mailboxes_meet_at_once_is_one_cause() -> None:
    first = outages("alice", "9f2ab0e1c7d34f5a")
    for who, id_ in (
        ("bob", "0b1c2d3e4f5a6b7c"),
        ("müller", "5e6f7a8b9c0d1e2f"),
        ("o.brien-smith", "ffffffffffffffff"),
        ("carol17", "1234567890123456"),
        ("dave", "ABCDEFabcdefabcd"),
    ):
        for one, other in zip(first, outages(who, id_), strict=True):
            assert shape(one) == shape(other)
    assert len({shape(each) for each in first}) == len(first), "each is a cause of its own"
    for name in (*exchange.CODES, *dav.PRECONDITIONS):
        assert shape(name) == name, "what a server calls an error tells two apart"


class Desk:
    """Administrators of a world who get mail and hear by a webhook."""

    def __init__(self, server: MailServer, authority: Authority, hook: Hook) -> None:
        self.world = World("alice")
        self.server, self.hook = server, hook
        notify = NotifySettings(mail=("admin@x.test",), webhook=hook.url)
        self.config: Config = config(smtp=smtp(server, authority), notify=notify)

    def say(self, *causes: Cause, patience: timedelta = NOW) -> Told:
        return stand(self.world.accord, self.config, "errors", causes, patience)


@pytest.fixture
def desk(server: MailServer, authority: Authority, hook: Hook) -> Desk:
    return Desk(server, authority, hook)


def broken(number: int = 3, **more: Any) -> Cause:
    words = f"{number} links can't be visited on mail: 'x{number}' refuses the password ({number})"
    given = {
        "key": shape(words),
        "words": words,
        "count": number,
        "hint": "import another password",
    }
    return Cause(**{**given, "names": [f"link-{n}" for n in range(number)], **more})


def test_a_cause_is_told_once_while_it_stands(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    told = desk.say(broken())
    assert (told.standing, told.told, told.failed) == (1, 1, [])
    ((to, text),) = desk.server.mails
    message = email.message_from_string(text, policy=default)
    assert to == ["admin@x.test"] and "Accord: 3 links can't" in message["Subject"]
    body = message.get_content()
    assert "link-2" in body and "import another password" in body
    (posted,) = desk.hook.posted
    assert posted["count"] == 3 and posted["text"].startswith("Accord: 3 links")
    assert [each.message for each in caplog.records if each.name == "accord.notice"] == ["notice"]
    for hours in range(48):
        desk.world.wait(hours=1)
        # Neither another number nor another name makes it another cause.
        assert desk.say(broken(3 + hours % 3)).told == 0
    assert len(desk.server.mails) == len(desk.hook.posted) == 1
    (row,) = standing(desk.world.accord)
    assert set(row.told) == {"log", "mail", "webhook"} and row.count == 5


def test_what_comes_back_soon_is_the_same_and_after_long_it_is_told_anew(desk: Desk) -> None:
    desk.say(broken())
    desk.say()
    assert standing(desk.world.accord) == []
    desk.world.wait(hours=1)
    assert desk.say(broken()).told == 0
    desk.say()
    desk.world.wait(seconds=BACK.total_seconds() + 1)
    desk.say()
    assert desk.say(broken()).told == 1
    assert len(desk.server.mails) == 2


def test_two_causes_are_told_apart(desk: Desk) -> None:
    desk.say(broken(), broken(words="another thing", key="another thing"))
    assert len(desk.server.mails) == 2
    other = stand(desk.world.accord, desk.config, "tokens", [broken()], NOW)
    assert other.told == 1 and len(standing(desk.world.accord)) == 3
    desk.say()
    assert len(standing(desk.world.accord)) == 1, "each source speaks for itself alone"


def test_keys_are_taken_as_they_are(desk: Desk) -> None:
    told = desk.say(*(broken(key=f"certificate/ca{number}.pem") for number in range(3)))
    assert (told.standing, told.told) == (3, 3)


def test_what_may_pass_is_told_when_it_has_stood(desk: Desk) -> None:
    patience = timedelta(minutes=30)
    assert desk.say(broken(passing=True), patience=patience).told == 0
    desk.world.wait(minutes=29)
    assert desk.say(broken(passing=True), patience=patience).told == 0
    desk.world.wait(minutes=2)
    assert desk.say(broken(passing=True), patience=patience).told == 1


def test_a_way_that_fails_holds_up_no_other_and_is_tried_again(desk: Desk) -> None:
    desk.server.refused = {"admin@x.test": "451 later"}
    told = desk.say(broken())
    assert told.told == 1 and len(desk.hook.posted) == 1
    assert told.failed == ["mail: 127.0.0.1: the mail server refuses it (451 later)"]
    desk.server.refused = {}
    assert desk.say(broken()).told == 1
    assert len(desk.server.mails) == 1 and len(desk.hook.posted) == 1


@pytest.mark.parametrize("lost", ["mail", "webhook"])
def test_nothing_is_told_once_another_process_tells_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    office = Office(desk.world, smtp=desk.config.smtp, notify=desk.config.notify)
    office.queue.buried = [
        Waiting(folder="f", stage=Stage.BURIED, cause="hint", since=0, why="bug")
    ]
    real = causes._channels

    def channels(*given: Any) -> Any:
        for name, send in real(*given):
            if name == lost:
                office.world.wait(hours=1)
                with office.world.state.begin() as tx:
                    assert tx.leases.acquire("job:errors", "elsewhere/1/a", 60) is not None
            yield name, send

    monkeypatch.setattr(causes, "_channels", channels)
    with pytest.raises(LeaseLost):
        office.run("errors")
    assert len(desk.server.mails) == (lost == "webhook") and desk.hook.posted == []
