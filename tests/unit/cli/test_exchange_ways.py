"""Every way to sign in, and whose rights: from `accord init exchange` to the first entry."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from accord.groupware.exchange import discovery
from accord.sandbox.exchange.server import Exchange
from tests.authority import CLIENT, SECRET, Authority
from tests.exchange import ROBOT, House
from tests.kdc import REALM, Kdc
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.dialogue import dialogue
from tests.unit.cli.test_story import EXPORTED, Shell
from tests.unit.exchange.bridge import ALICE
from tests.unit.exchange.company import Company
from tests.unit.exchange.test_discovery import protocol, told

NAMES = {f"robot@{REALM}": "robot", f"service@{REALM}": "robot", f"alice@{REALM}": ALICE}


class Scene(NamedTuple):
    """An Exchange and how somebody gets in: the options of `init exchange` for that."""

    url: str
    exchange: Exchange
    person: str
    options: tuple[str, ...]


@pytest.fixture
def shell(run: Run, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    return Shell(run)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def house(stack: ExitStack, **more: Any) -> House:
    return stack.enter_context(closing(House(**more)))


def by_name(stack: ExitStack, way: str, access: str = "impersonation") -> Scene:
    """A server that takes names and passwords, in one way only."""
    made = house(stack, ways=(way,))
    people, person = made.exchange.people, made.person()
    robot, owner = people.by_address(ROBOT), people.by_address(person)
    assert robot is not None and owner is not None
    people.renew(robot, "secret", impersonates=access == "impersonation")
    if access == "delegate":
        people.grant(owner, robot, "editor")
    login = () if access == "own" else ("--login", ROBOT)
    options = ("--auth", way, "--access", access, *login, "--password-env", "MAIL_PASSWORD")
    return Scene(made.url, made.exchange, person, options)


def by_application(stack: ExitStack, access: str = "impersonation") -> Scene:
    """A server that takes the tokens of an authority, and an application with a secret there."""
    authority = stack.enter_context(closing(Authority(ROBOT)))
    made = house(stack, ways=("bearer",), tokens=authority.whose)
    options = (
        *("--auth", "oauth2", "--access", access, "--authority", authority.url),
        *("--client-id", CLIENT, "--password-env", "APPLICATION_SECRET"),
    )
    return Scene(made.url, made.exchange, made.person(), options)


def by_ticket(stack: ExitStack, *more: str) -> Scene:
    """A server that takes the tickets of a realm."""
    company = stack.enter_context(closing(Company(scheme="Negotiate", names=NAMES)))
    url = company.server.url.replace("127.0.0.1", "localhost")
    return Scene(url, company.exchange, ALICE, ("--auth", "kerberos", *more))


class Autodiscover:
    """Tell everybody who asks by POX where their mailbox is served, until closed."""

    def __init__(self, url: str) -> None:
        text = told(protocol("EXPR", url))().content

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/autodiscover/autodiscover.xml"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def first_entry(shell: Shell, scene: Scene) -> str:
    """Set everything up, let an entry of the CRM arrive, and return the text of the target."""
    file = Path("company.toml")
    shell("init")
    shell("crm", "users", "add", "alice", "--address", scene.person)
    answers = ("--url", scene.url, "--user", "alice", "--principal", scene.person)
    words = (*answers, *scene.options, "--name", "company", "--output", str(file))
    assert "✓ sign-in and folders: " in shell("init", "exchange", *words).err
    return arrives(shell, scene, file)


def arrives(shell: Shell, scene: Scene, file: Path) -> str:
    """Import what `init exchange` wrote, and synchronize the first entry."""
    text = file.read_text()
    file.write_text(text + EXPORTED)
    shell("import", str(file))
    assert "All is well." in shell("check").out
    shell("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    shell("mode", "alice", "active")
    rows = shell("sync", "--all", "--json").rows
    assert sum(row["groupware"]["created"] for row in rows) == 1
    assert "Kick-off: synchronized" in shell("explain", "Kick-off").out
    assert scene.exchange.mails() == []
    return text


@pytest.mark.parametrize(
    ("way", "access", "said"),
    [
        ("ntlm", "impersonation", "the service account acts as the person by ntlm"),
        ("ntlm", "own", "the person's own login by ntlm"),
        ("basic", "delegate", "the service account opens the person's folders by basic"),
        ("basic", "own", "the person's own login by basic"),
    ],
)
def test_by_name_and_password(
    shell: Shell, stack: ExitStack, way: str, access: str, said: str
) -> None:
    text = first_entry(shell, by_name(stack, way, access))
    assert f'auth = "{way}"' in text
    assert f'access = "{access}"' in text
    assert said in "".join(shell.printed)
    assert "secret" not in "".join(shell.printed).replace("(secret)", "")


@pytest.mark.parametrize("access", ["impersonation", "delegate"])
def test_one_of_everything_goes_through_a_test_mailbox(
    shell: Shell, stack: ExitStack, access: str
) -> None:
    scene = by_name(stack, "basic", access)
    first_entry(shell, scene)
    told = shell("check", "--mailbox", scene.person).out
    assert "All is well." in told
    assert "✓ mail: move: into another folder and back" in told
    # Exchange lets nobody else see a person's replies.
    mine = "put back: as they were" if access != "delegate" else "not open to this account"
    assert f"✓ automatic replies: {mine}" in told
    assert scene.exchange.mails() == []


def test_a_server_that_autodiscover_tells(
    shell: Shell, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = by_name(stack, "basic")
    places = (stack.enter_context(closing(Autodiscover(scene.url))).url,)
    monkeypatch.setattr(discovery, "_PLACES", places)
    text = first_entry(shell, scene._replace(url="auto"))
    assert "url =" not in text
    assert f"✓ autodiscover: {scene.url}" in "".join(shell.printed)


def test_as_an_application_with_a_secret(
    shell: Shell, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLICATION_SECRET", SECRET)
    text = first_entry(shell, by_application(stack))
    assert 'client_secret = { env = "APPLICATION_SECRET" }' in text
    assert SECRET not in "".join(shell.printed)


def test_kerberos_with_a_password(shell: Shell, stack: ExitStack, realm: Kdc) -> None:
    login = ("--login", f"robot@{REALM}", "--password-env", "MAIL_PASSWORD")
    text = first_entry(shell, by_ticket(stack, *login))
    assert 'password = { env = "MAIL_PASSWORD" }' in text


def test_kerberos_with_a_password_of_ones_own(shell: Shell, stack: ExitStack, realm: Kdc) -> None:
    own = ("--access", "own", "--login", f"alice@{REALM}", "--password-env", "MAIL_PASSWORD")
    text = first_entry(shell, by_ticket(stack, *own))
    assert f'[target.users]\n"{ALICE}" = "alice@{REALM}"' in text


def test_kerberos_with_a_keytab(shell: Shell, stack: ExitStack, realm: Kdc) -> None:
    keytab = str(realm.file("service.keytab"))
    login = ("--login", f"service@{REALM}", "--keytab", keytab)
    text = first_entry(shell, by_ticket(stack, *login))
    assert f'keytab = "{keytab}"' in text
    assert "password" not in text


@pytest.mark.parametrize("login", [(), ("--login", f"robot@{REALM}")], ids=["any", "named"])
def test_kerberos_with_the_tickets_of_the_process(
    shell: Shell, stack: ExitStack, realm: Kdc, login: tuple[str, ...]
) -> None:
    realm.sign_in("robot", "secret")
    text = first_entry(shell, by_ticket(stack, *login))
    assert "password" not in text
    assert "keytab" not in text
    assert ("user =" in text.partition("[[link]]")[0]) is bool(login)


def test_without_tickets_it_is_said_how_to_get_some(
    shell: Shell, stack: ExitStack, realm: Kdc, tmp_path: Path
) -> None:
    scene = by_ticket(stack)
    answers = ("--url", scene.url, "--user", "alice", "--principal", scene.person)
    told = shell("init", "exchange", *answers, *scene.options, "--output", "t.toml", code=1).err
    assert "the tickets of this process" in told
    assert "kinit" in told
    assert not (tmp_path / "t.toml").exists()


ANSWERS = ("--url", "https://mail.example.com", "--user", "alice", "--principal", ALICE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--auth", "kerberos", "--keytab", "k", "--password-env", "P"), "exclude each other"),
        (("--auth", "kerberos", "--keytab", "k", "--access", "own"), "for a service account"),
        (("--auth", "ntlm", "--login", "robot", "--keytab", "k"), "for --auth kerberos"),
        (("--auth", "kerberos", "--keytab", "k"), "--login is missing"),
        (("--auth", "kerberos", "--access", "own"), "no password"),
        (("--auth", "ntlm", "--login", "robot"), "no password"),
        (("--auth", "oauth2"), "--authority is missing"),
        (("--auth", "oauth2", "--access", "own"), "take oauth2-user for people"),
    ],
)
def test_what_fits_no_way_is_refused(shell: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in shell("init", "exchange", *ANSWERS, *words, code=2).err


def test_questions_at_a_terminal_lead_to_the_first_entry(
    shell: Shell, stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = by_name(stack, "basic", "delegate")
    shell("init")
    shell("crm", "users", "add", "alice", "--address", scene.person)
    shown = dialogue(
        tmp_path,
        ["init", "exchange", "--output", "company.toml"],
        [
            ("Address of the server, or `auto`", scene.url),
            ("CRM user", "alice"),
            ("Primary address of their mailbox", scene.person),
            ("Way to sign in (ntlm, basic, kerberos, oauth2, oauth2-user) [ntlm]", "basic"),
            ("Whose rights (impersonation, delegate, own) [impersonation]", "delegate"),
            ("Login name of the service account", ROBOT),
            ("Password", "secret"),
        ],
    )
    assert "secret" not in shown
    assert "export ACCORD_PASSWORD_127_0_0_1=…" in shown
    monkeypatch.setenv("ACCORD_PASSWORD_127_0_0_1", "secret")
    arrives(shell, scene, tmp_path / "company.toml")


def test_questions_at_a_terminal_about_an_application(
    shell: Shell, stack: ExitStack, tmp_path: Path
) -> None:
    scene = by_application(stack)
    options = ["--url", scene.url, "--user", "alice", "--principal", scene.person]
    answers = [
        ("Way to sign in", "oauth2"),
        ("Whose rights", "impersonation"),
        ("Authority of tokens", scene.options[scene.options.index("--authority") + 1]),
        ("Application id", CLIENT),
        ("Secret", SECRET),
    ]
    shown = dialogue(tmp_path, ["init", "exchange", *options], answers)
    assert "✓ sign-in and folders: the service account acts as the person by oauth2" in shown
    assert SECRET not in shown


def test_an_answer_that_is_no_choice_is_refused(tmp_path: Path, run: Run) -> None:
    options = ["--url", "mail.example.com", "--user", "alice", "--principal", ALICE]
    shown = dialogue(tmp_path, ["init", "exchange", *options], [("Way", "smtp")], code=2)
    assert "'smtp' is none of ntlm, basic" in shown


ABOUT_KERBEROS = (
    ("Way to sign in", "kerberos"),
    ("Whose rights", ""),
)
SHOWN = "What Kerberos is shown (tickets, password, keytab) [tickets]"


def test_questions_at_a_terminal_about_a_keytab(
    stack: ExitStack, tmp_path: Path, realm: Kdc
) -> None:
    scene, keytab = by_ticket(stack), str(realm.file("service.keytab"))
    options = ["--url", scene.url, "--user", "alice", "--principal", scene.person]
    login = ("Login name of the service account", f"service@{REALM}")
    answers = [*ABOUT_KERBEROS, (SHOWN, "keytab"), ("Keytab file", keytab), login]
    shown = dialogue(tmp_path, ["init", "exchange", *options], answers)
    assert f'keytab = "{keytab}"' in shown


def test_questions_at_a_terminal_about_tickets(
    stack: ExitStack, tmp_path: Path, realm: Kdc
) -> None:
    scene = by_ticket(stack)
    options = ["--url", scene.url, "--user", "alice", "--principal", scene.person]
    realm.sign_in("robot", "secret")
    shown = dialogue(tmp_path, ["init", "exchange", *options], [*ABOUT_KERBEROS, (SHOWN, "")])
    assert "✓ sign-in and folders: the service account acts as the person by kerberos" in shown
