"""Start-up settings: `accord.toml`, overlaid by `ACCORD_*`; everything else lives in the database.

`bootstrap` builds Accord from a Config; the command line finds the file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from accord.interface.server.settings import InterfaceSettings
from accord.interface.tokens.settings import TokenSettings
from accord.ports.errors import ConfigError
from accord.ports.redact import clean
from accord.rules.problem import Problem, RuleErrors
from accord.rules.source import Source
from accord.rules.text import read
from accord.service import connector
from accord.service.notices.settings import NotifySettings, SmtpSettings
from accord.service.notices.settings import problems as problems_of_notices
from accord.service.running import RunSettings
from accord.service.web_settings import TOKEN, WebSettings, wrong_token

FILE = "accord.toml"
PREFIX = "ACCORD_"
INIT_HINT = "run `accord init` to make one here, or name one with --config FILE"


class _File(Struct, frozen=True, kw_only=True):
    database: str = "sqlite:///accord.db"
    key_file: str = "accord.key"
    key_command: tuple[str, ...] = ()
    crm: str = "database:"
    connector: dict[str, Any] = {}
    tokens: TokenSettings = TokenSettings()
    interface: InterfaceSettings = InterfaceSettings()
    run: RunSettings = RunSettings()
    smtp: SmtpSettings = SmtpSettings()
    notify: NotifySettings = NotifySettings()
    web: WebSettings = WebSettings()


BOTH = "key_file and key_command are both given, and only one of them can say where the keys are"
ONE = "keep the one that holds the keys of this database, and take the other away"

_TEXTS = ("database", "key_file", "crm")


class Config(Struct, frozen=True, kw_only=True):
    """Be what is needed to start.

    `file` is None where everything came from the environment; `folder` is what relative paths
    were resolved against. `database` is an address with an absolute path, `crm` an address
    such as `database:` whose part before the colon names a CRM adapter, and `connector` how to
    reach one behind CRM.interface (`service.connector`). Where there is a `key_command`, it
    prints the keys, and `key_file` says nothing.
    """

    file: Path | None
    folder: Path
    database: str
    key_file: Path
    key_command: tuple[str, ...] = ()
    crm: str
    connector: dict[str, Any] = {}
    tokens: TokenSettings = TokenSettings()
    interface: InterfaceSettings = InterfaceSettings()
    run: RunSettings = RunSettings()
    smtp: SmtpSettings = SmtpSettings()
    notify: NotifySettings = NotifySettings()
    web: WebSettings = WebSettings()

    @property
    def shown_database(self) -> str:
        """Return the database's address without its password."""
        return without_password(self.database)


def load(file: Path | None, environ: Mapping[str, str], here: Path) -> Config:
    """Read the start-up settings from `file`, `ACCORD_CONFIG` or `here`/accord.toml.

    Raises ConfigError where there is no file and the environment names no database either, and
    RuleErrors with file, line and hint for everything that is wrong in it.
    """
    overlay = _overlay(environ)
    path = _find(file, environ, here)
    if path is None and "database" not in overlay:
        raise ConfigError(f"there is no {FILE} in {here}", field="config", hint=INIT_HINT)
    given = _read(path) if path is not None else _File()
    folder = path.resolve().parent if path is not None else here
    values = {name: getattr(given, name) for name in _TEXTS} | overlay
    key_command = _key_command(given, overlay)
    config = Config(
        file=path,
        folder=folder,
        database=absolute(values["database"], folder),
        key_file=folder / Path(values["key_file"]).expanduser(),
        key_command=key_command,
        crm=_crm(values["crm"], folder),
        connector=given.connector,
        tokens=given.tokens,
        interface=given.interface,
        run=given.run,
        smtp=given.smtp,
        notify=given.notify,
        web=given.web,
    )
    _require_texts(config, values)
    return config


def absolute(url: str, folder: Path) -> str:
    """Return a database address whose SQLite path is resolved against `folder`."""
    found = re.fullmatch(r"sqlite:///(?!/|:memory:)([^?]+)(\?.*)?", url)
    if found is None:
        return url
    path = folder / Path(found.group(1)).expanduser()
    return f"sqlite:///{path}{found.group(2) or ''}"


def without_password(url: str) -> str:
    """Return an address with its password hidden."""
    return clean(url)


def _find(file: Path | None, environ: Mapping[str, str], here: Path) -> Path | None:
    if file is None and environ.get(f"{PREFIX}CONFIG"):
        file = Path(environ[f"{PREFIX}CONFIG"])
    if file is not None:
        if not (here / file).is_file():
            raise ConfigError(f"there is no file {file}", field="config", hint=INIT_HINT)
        return here / file
    usual = here / FILE
    return usual if usual.is_file() else None


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"can't read {path}: {error}", field="config", hint="it must be text in UTF-8"
        ) from error
    source = Source(text, str(path))
    problems: list[Problem] = []
    given = read(_File, source.data, (), source, problems)
    if given is not None and given.connector:
        table = connector.read_table(given.connector, path.resolve().parent, source, problems)
        given = replace(given, connector=table)
    if given is not None:
        problems += problems_of_notices(given.smtp, given.notify, source)
        if {"key_file", "key_command"} <= source.data.keys():
            problems.append(source.problem(("key_command",), BOTH, hint=ONE))
        elif "key_command" in source.data and not "".join(given.key_command[:1]).strip():
            hint = (
                'write key_command = ["/path/to/program", "argument"], or key_file = "accord.key"'
            )
            problems.append(source.problem(("key_command",), "names no program", hint=hint))
        if (wrong := wrong_token(given.web.metrics_token)) is not None:
            problems.append(source.problem(("web", TOKEN), wrong[0], hint=wrong[1]))
    if problems:
        raise RuleErrors(_with_places(problems, source.data))
    assert isinstance(given, _File)
    return given


def _with_places(problems: list[Problem], data: Mapping[str, Any]) -> list[Problem]:
    """Say where to put what belongs into the database."""
    stray = {"target", "link", "rule", "template"} & data.keys()
    if not stray:
        return problems
    hint = "put targets, links, rules and templates into a file of their own and `accord import` it"
    return [
        Problem(message=p.message, path=p.path, file=p.file, line=p.line, hint=hint)
        if p.path in stray
        else p
        for p in problems
    ]


def _overlay(environ: Mapping[str, str]) -> dict[str, str]:
    known = {f"{PREFIX}{name.upper()}": name for name in (*_TEXTS, "key_command")}
    for name in environ:
        if not name.startswith(PREFIX) or name in known or name == f"{PREFIX}CONFIG":
            continue
        close = get_close_matches(name, known, n=1, cutoff=0.88)
        if close:
            raise ConfigError(
                f"the environment sets {name}, which means nothing",
                field=name,
                hint=f"did you mean {close[0]}?",
            )
    found = {known[name]: value for name, value in environ.items() if name in known and value}
    if {"key_file", "key_command"} <= found.keys():
        raise ConfigError(f"the environment: {BOTH}", field=f"{PREFIX}KEY_COMMAND", hint=ONE)
    return found


def _key_command(given: _File, overlay: Mapping[str, str]) -> tuple[str, ...]:
    """Return the program that prints the keys; the environment overrules either way to have them.

    Raises ConfigError for words that no command line has.
    """
    if "key_command" not in overlay:
        return () if "key_file" in overlay else given.key_command
    field, wrong = f"{PREFIX}KEY_COMMAND", "it names no program"
    try:
        if words := tuple(shlex.split(overlay["key_command"])):
            return words
    except ValueError as error:
        wrong = str(error)
    hint = "write program and arguments as on a command line"
    raise ConfigError(f"{field} can't be read: {wrong}", field=field, hint=hint)


def _crm(text: str, folder: Path) -> str:
    scheme, colon, rest = text.partition(":")
    return f"{scheme}:{absolute(rest, folder)}" if colon else text


def _require_texts(config: Config, values: Mapping[str, str]) -> None:
    for name, example in (
        ("database", "sqlite:///accord.db"),
        ("key_file", "accord.key"),
        ("crm", "database:"),
    ):
        if not values[name].strip():
            where = f" in {config.file}" if config.file else ""
            hint = f'write {name} = "{example}"'
            raise ConfigError(f"{name} is empty{where}", field=name, hint=hint)
