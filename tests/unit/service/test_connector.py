"""A CRM on another machine in accord.toml: every mistake with its place, and what `init` writes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from accord.crm.syncml import SyncmlCrm
from accord.formats.token import key_text, new_key
from accord.interface.server import app
from accord.ports.errors import ConfigError
from accord.rules.problem import RuleErrors
from accord.service.bootstrap import open_accord, open_desk, open_interface
from accord.service.config import Config, load
from accord.service.connector import PATH, is_elsewhere, settings, url_of
from accord.service.init import init

CRM = "interface+https://crm.example.com/CRM.interface"


@pytest.fixture
def on_both() -> None:
    """Addresses and files are the same for both databases."""


def write(folder: Path, text: str) -> Path:
    file = folder / "accord.toml"
    file.write_text(text)
    return file


def read(folder: Path, text: str) -> Config:
    return load(write(folder, text), {}, folder)


def put_key(folder: Path, name: str = "connector.key") -> str:
    text = key_text(new_key())
    (folder / name).write_text(text + "\n")
    return text


@pytest.mark.parametrize(
    ("crm", "url"),
    [
        (CRM, "https://crm.example.com/CRM.interface"),
        ("interface+https://crm.example.com:8443", "https://crm.example.com:8443/CRM.interface"),
        ("interface+https://crm.example.com/", "https://crm.example.com/CRM.interface"),
        ("interface+http://[::1]:8640/sync", "http://[::1]:8640/sync"),
    ],
)
def test_the_address_says_where_it_is(crm: str, url: str) -> None:
    assert is_elsewhere(crm)
    assert url_of(crm) == url


def test_the_path_is_the_servers_own() -> None:
    assert PATH == app.PATH


@pytest.mark.parametrize(
    "crm",
    [
        "interface+https:crm.example.com",
        "interface+https://",
        "interface+https:///CRM.interface",
        "interface+https://anna:secret@crm.example.com/CRM.interface",
        "interface+https://crm.example.com:port/",
        "interface+https://crm.example.com:0/",
        "interface+https://crm.example.com/CRM.interface?x=1",
        "interface+https://[::1/CRM.interface",
    ],
)
def test_a_bad_address_is_told_with_field_and_hint(tmp_path: Path, crm: str) -> None:
    put_key(tmp_path)
    with pytest.raises(ConfigError) as caught:
        init(tmp_path, crm=crm)
    assert caught.value.field == "crm"
    assert "interface+https://host" in caught.value.hint
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "accord.toml").exists()


def test_unencrypted_only_on_this_machine_or_where_it_is_said(tmp_path: Path) -> None:
    put_key(tmp_path)
    far = "interface+http://crm.example.com/CRM.interface"
    with pytest.raises(ConfigError, match=r"anybody on the way to crm\.example\.com") as caught:
        init(tmp_path, crm=far)
    assert "without_tls" in caught.value.hint
    made = init(tmp_path / "loud", crm=far, token_key="../connector.key", without_tls=True)
    assert made.config.connector["without_tls"] is True
    assert init(tmp_path, crm="interface+http://127.0.0.1:8640").token_key is None


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('token_kye = { file = "x" }', "token_kye", "did you mean token_key?"),
        ('token_key = "5bfc80c0d5d65d94 …"', "by reference", "{ file ="),
        ("token_key = { fiel = 'x' }", "by reference", "{ file ="),
        ("timeout = 'long'", "must be a number", "seconds"),
        ("ca_file = 7", "must be a file", "PEM"),
        ('url = "https://crm.example.com"', "doesn't stand here", "crm ="),
    ],
)
def test_mistakes_in_the_table_have_line_and_hint(
    tmp_path: Path, line: str, message: str, hint: str
) -> None:
    with pytest.raises(RuleErrors) as caught:
        read(tmp_path, f'crm = "{CRM}"\n[connector]\n{line}\n')
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "accord.toml"), 3)
    assert message in f"{problem.path} {problem.message}"
    assert hint in problem.hint


def test_key_and_paths_begin_at_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    key = put_key(folder)
    config = read(
        folder,
        f'crm = "{CRM}"\n[connector]\ntoken_key = {{ file = "connector.key" }}\nca_file = "ca.pem"',
    )
    found = settings(config.crm, config.connector, config.folder)
    assert found == {"url": url_of(CRM), "token_key": key, "ca_file": str(folder / "ca.pem")}


def test_the_key_may_come_from_the_environment(tmp_path: Path) -> None:
    config = read(tmp_path, '[connector]\ntoken_key = { env = "CRM_KEY" }')
    found = settings(CRM, config.connector, tmp_path, {"CRM_KEY": "the key"})
    assert found["token_key"] == "the key"
    with pytest.raises(ConfigError, match="CRM_KEY is not set"):
        settings(CRM, config.connector, tmp_path, {})


@pytest.mark.parametrize("table", ["", '[connector]\ntoken_key = { file = "connector.key" }'])
def test_without_a_key_it_says_how_to_get_one(tmp_path: Path, table: str) -> None:
    init(tmp_path)
    config = read(tmp_path, f'crm = "{CRM}"\n{table}')
    with pytest.raises(ConfigError) as caught:
        open_accord(config)
    assert caught.value.field == "connector.token_key"
    assert "accord token key connector.key" in caught.value.hint


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "connector.key").write_text("hello\n")
    with pytest.raises(ConfigError, match="no token key") as caught:
        init(tmp_path, crm=CRM)
    assert caught.value.field == "token_key"


def test_init_writes_a_table_that_works(tmp_path: Path) -> None:
    made = init(tmp_path, crm=CRM, token_key="keys/one.key", ca_file="ca.pem")
    assert made.token_key == tmp_path / "keys" / "one.key"
    assert made.config.connector == {
        "token_key": {"file": "keys/one.key"},
        "ca_file": str(tmp_path / "ca.pem"),
    }
    put_key(tmp_path)
    made = init(tmp_path, crm=CRM, force=True)
    assert made.token_key is None
    with closing(open_accord(made.config)) as accord:
        assert isinstance(accord.crm, SyncmlCrm), "opened, and nobody has been asked"


def test_what_belongs_beside_the_crm_says_where_to_run_it(tmp_path: Path) -> None:
    put_key(tmp_path)
    config = init(tmp_path, crm=CRM).config
    with closing(open_accord(config)) as accord:
        for opening in (open_desk, open_interface):
            with pytest.raises(ConfigError, match=r"https://crm\.example\.com") as caught:
                opening(accord, config)
            assert "where CRM.interface runs" in caught.value.hint
