"""Start-up settings: the file, the environment over it, and every mistake with its place."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from accord.ports.errors import ConfigError
from accord.rules.problem import RuleErrors
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.config import absolute, load, without_password
from accord.service.init import init
from tests.databases import Databases


@pytest.fixture
def on_both() -> None:
    """Settings and files are the same for both; the test that opens a database asks for it."""


def write(folder: Path, text: str) -> Path:
    file = folder / "accord.toml"
    file.write_text(text)
    return file


def test_an_empty_file_means_the_defaults_beside_it(tmp_path: Path) -> None:
    config = load(write(tmp_path, ""), {}, Path("/"))
    assert config.database == f"sqlite:///{tmp_path}/accord.db"
    assert config.key_file == tmp_path / "accord.key"
    assert config.crm == "database:"


def test_the_file_in_the_working_folder_is_found(tmp_path: Path) -> None:
    write(tmp_path, 'key_file = "keys/one"')
    assert load(None, {}, tmp_path).key_file == tmp_path / "keys/one"


def test_a_file_is_named_by_option_before_environment(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(f'key_file = "{name}"')
    environ = {"ACCORD_CONFIG": "a.toml"}
    assert load(None, environ, tmp_path).key_file.name == "a"
    assert load(Path("b.toml"), environ, tmp_path).key_file.name == "b"


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'database = "sqlite:///one.db"\nkey_file = "one.key"')
    config = load(file, {"ACCORD_DATABASE": "postgresql://u:p@h/d", "HOME": "/x"}, tmp_path)
    assert config.database == "postgresql://u:p@h/d"
    assert config.key_file.name == "one.key"


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    config = load(None, {"ACCORD_DATABASE": "sqlite:///x.db"}, tmp_path)
    assert config.file is None
    assert config.database == f"sqlite:///{tmp_path}/x.db"


def test_a_misspelt_variable_is_no_silent_default(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ACCORD_DATABSE") as caught:
        load(write(tmp_path, ""), {"ACCORD_DATABSE": "x"}, tmp_path)
    assert "ACCORD_DATABASE" in caught.value.hint


def test_without_any_file_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, tmp_path)
    assert "accord init" in caught.value.hint
    with pytest.raises(ConfigError, match=r"no file other\.toml"):
        load(Path("other.toml"), {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('\n\ndatabse = "x"', 3, "databse", "did you mean database?"),
        ("key_file = 7", 1, "must be a text", ""),
        ('crm = "database:"\n[[target]]\nname = "x"', 2, "target", "accord import"),
        ("database = ", 1, "not TOML", ""),
        ('key_file = "a"\nkey_command = ["b"]', 2, "both given", "take the other away"),
        ('key_command = "cat key"', 1, "must be a list of texts", ""),
        ("\nkey_command = []", 2, "names no program", 'key_command = ["/path/to/program"'),
        ('key_command = [" "]', 1, "names no program", 'or key_file = "accord.key"'),
    ],
)
def test_mistakes_have_line_and_hint(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(RuleErrors) as caught:
        load(file, {}, tmp_path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(file), line)
    assert message in f"{problem.path} {problem.message}"
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("environ", "text", "meant"),
    [
        ({}, 'key_command = ["vault", "a b"]', ("vault", "a b")),
        ({}, 'key_file = "one"', ()),
        ({"ACCORD_KEY_COMMAND": "vault 'a b'"}, 'key_file = "one"', ("vault", "a b")),
        ({"ACCORD_KEY_COMMAND": "vault"}, 'key_command = ["x"]', ("vault",)),
        ({"ACCORD_KEY_FILE": "one"}, 'key_command = ["vault"]', ()),
    ],
)
def test_the_environment_overrules_where_the_keys_are(
    tmp_path: Path, environ: dict[str, str], text: str, meant: tuple[str, ...]
) -> None:
    config = load(write(tmp_path, text), environ, tmp_path)
    assert config.key_command == meant
    assert meant or config.key_file == tmp_path / "one"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ACCORD_KEY_FILE": "a", "ACCORD_KEY_COMMAND": "b"}, "both given"),
        ({"ACCORD_KEY_COMMAND": "vault 'a"}, "No closing quotation"),
        ({"ACCORD_KEY_COMMAND": "  "}, "names no program"),
    ],
)
def test_the_environment_names_one_place_of_keys(
    tmp_path: Path, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(write(tmp_path, ""), environ, tmp_path)
    assert caught.value.field == "ACCORD_KEY_COMMAND"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["database", "key_file", "crm"])
def test_an_empty_value_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is empty"):
        load(write(tmp_path, f'{name} = " "'), {}, tmp_path)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:///a.db", "sqlite:////here/a.db"),
        ("sqlite:////etc/a.db", "sqlite:////etc/a.db"),
        ("sqlite:///sub/a.db?x=1", "sqlite:////here/sub/a.db?x=1"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql://u@h/a", "postgresql://u@h/a"),
    ],
)
def test_relative_databases_begin_at_the_file(given: str, meant: str) -> None:
    assert absolute(given, Path("/here")) == meant


def test_a_password_in_an_address_is_hidden() -> None:
    assert without_password("postgresql://u:geheim@h:5/d") == "postgresql://u:***@h:5/d"
    assert without_password("postgresql://u@h:5/d") == "postgresql://u@h:5/d"


def test_init_makes_all_three_for_their_owner_only(tmp_path: Path) -> None:
    made = init(tmp_path)
    for name in ("accord.toml", "accord.key", "accord.db"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert str(tmp_path / name) in made.made
    with open_accord_closing(tmp_path) as accord:
        assert accord.crm.instance


def test_init_prepares_the_database_that_is_named(tmp_path: Path, databases: Databases) -> None:
    url = databases.url("named")
    made = init(tmp_path, database=url)
    assert made.config.database == url
    with open_accord_closing(tmp_path) as accord:
        assert accord.crm.instance
        assert accord.state.database.dialect == make_url(url).get_backend_name()


def test_init_makes_the_folder_for_its_owner_only(tmp_path: Path) -> None:
    made = init(tmp_path / "new")
    assert made.file == tmp_path / "new" / "accord.toml"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    for folder in (tmp_path / "far" / "away", tmp_path / "file"):
        with pytest.raises(ConfigError, match="can't make the folder"):
            init(folder)
    assert not (tmp_path / "far").exists()


def test_init_never_touches_what_is_there(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "accord.toml").write_text("# mine\n")
    key = (tmp_path / "accord.key").read_bytes()
    with pytest.raises(ConfigError, match="there already"):
        init(tmp_path)
    assert (tmp_path / "accord.toml").read_text() == "# mine\n"
    made = init(tmp_path, force=True)
    assert made.made == (str(tmp_path / "accord.toml"),)
    assert "# mine" not in (tmp_path / "accord.toml").read_text()
    assert (tmp_path / "accord.key").read_bytes() == key


def test_a_failed_init_leaves_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        init(tmp_path, database="sqlite:///no/such/folder.db")
    assert not list(tmp_path.glob("*.toml"))
    assert not list(tmp_path.glob(".*"))


def test_a_lost_key_is_not_replaced_by_a_fresh_one(tmp_path: Path) -> None:
    config = init(tmp_path).config
    config.key_file.unlink()
    with pytest.raises(ConfigError, match="no key file") as caught:
        open_accord(config)
    assert "restore" in caught.value.hint
    assert not config.key_file.exists()


@pytest.mark.parametrize(
    "crm", ["interface+ftp://crm.example.com/", "https://crm.example.com/", "databse:", "database"]
)
def test_other_crms_are_refused_by_name(tmp_path: Path, crm: str) -> None:
    init(tmp_path)
    config = load(write(tmp_path, f'crm = "{crm}"'), {}, tmp_path)
    with pytest.raises(ConfigError, match="there is no CRM") as caught:
        open_accord(config)
    assert "database:" in caught.value.hint


def test_the_crm_may_live_in_another_database(tmp_path: Path) -> None:
    config = init(tmp_path, crm="database:sqlite:///crm.db").config
    assert (tmp_path / "crm.db").exists()
    open_accord(config).close()


def open_accord_closing(folder: Path) -> AbstractContextManager[Accord]:
    return closing(open_accord(load(None, {}, folder)))


def test_notices_are_set_with_secrets_by_reference(tmp_path: Path) -> None:
    text = """
    [smtp]
    server = "mail.example.com"
    user = "accord"
    password = { env = "SMTP_PASSWORD" }
    sender = "accord@example.com"

    [notify]
    mail = ["admin@example.com"]
    secret_webhook = { file = "hook" }
    """
    (tmp_path / "accord.toml").write_text(text)
    config = load(None, {}, tmp_path)
    assert config.smtp.place() == ("mail.example.com", 587)
    assert config.notify.mail == ("admin@example.com",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[smtp]\nserver = "m.x"\npassword = "geheim"', "must be a table"),
        ('[smtp]\nserver = "m.x"\nsender = "a@x"\nuser = "u"', "no password"),
        ('[smtp]\nserver = "m.x"\nsender = "a@x"\npassword = {is = "x"}', "given by reference"),
        ('[smtp]\nserver = "m.x:0"\nsender = "a@x"', "no HOST"),
        ('[smtp]\nserver = "m.x"', "whom mails are from"),
        ('[smtp]\nserver = "m.x"\nsender = "a@x"\nsecurity = "none"', "read on the way"),
        ('[smtp]\nserver = "m.x"\nsender = "a@x"\nsecurity = "ssl"', "can't be 'ssl'"),
        ('[notify]\nmail = ["a@x"]', "which server takes mail"),
        ('[smtp]\nserver = "m.x"\nsender = "a@x"\n[notify]\nmail = ["a, b@x"]', "is no address"),
        ('[notify]\nwebhook = "http://hooks.x/a"', "no https address"),
        ('[notify]\nwebhook = "https://a"\nsecret_webhook = {env = "X"}', "given twice"),
        ('[notify]\ntoken = {secret = "geheim"}', "given by reference"),
        ('[notify]\nmails = "a@x"', "no key 'mails'"),
    ],
)
def test_what_is_wrong_with_notices_is_told_with_its_line(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "accord.toml").write_text(text)
    with pytest.raises(RuleErrors) as caught:
        load(None, {}, tmp_path)
    (problem,) = caught.value.problems
    assert said in problem.message and problem.line > 0
    assert "geheim" not in str(problem)
