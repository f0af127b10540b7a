"""The ways to sign in at an Exchange target: their settings, and what each of them needs.

`settings` takes them in; `signin` and `tokens` do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from accord.ports.errors import ConfigError
from accord.ports.settings import Setting, SettingType, by_person, filled
from accord.ports.tls import is_near

ADDRESSES = ("authority", "token_url", "sign_in_url")
TABLES = ("users", "passwords", "refresh_tokens")

SIGN_IN = (
    Setting(
        name="auth",
        label="Way to sign in",
        type=SettingType.CHOICE,
        choices=("basic", "ntlm", "kerberos", "oauth2", "oauth2-user"),
        default="ntlm",
        help="oauth2: an application of its own, with client_id and client_secret; oauth2-user: "
        "somebody signed in once in a browser (`accord init exchange` asks for that), kept as "
        "refresh_token",
    ),
    Setting(
        name="access",
        label="Whose rights",
        type=SettingType.CHOICE,
        choices=("impersonation", "delegate", "own"),
        default="impersonation",
        help="impersonation: 'user' acts as each person, by the role ApplicationImpersonation; "
        "delegate: 'user' opens each person's folders by rights given there; own: each person "
        "signs in, with a password from 'passwords' or a token from 'refresh_tokens'",
    ),
    Setting(
        name="user",
        label="Login name",
        default="",
        help="of the service account, as DOMAIN\\NAME or NAME@DOMAIN (for kerberos "
        "NAME@EXAMPLE.COM); with own access it may hold {principal}, {local} and {domain} of the "
        "person, and empty means {principal}",
    ),
    Setting(name="password", label="Password", type=SettingType.SECRET, secret=True),
    Setting(
        name="users",
        label="Login names by person",
        type=SettingType.TABLE,
        help="with own access, where a person's login name doesn't follow 'user'",
    ),
    Setting(
        name="passwords",
        label="Passwords by person",
        type=SettingType.TABLE,
        secret=True,
        help="with own access, each person's",
    ),
    Setting(
        name="keytab",
        label="Keytab",
        type=SettingType.FILE,
        advanced=True,
        help="for kerberos: the file that holds the key of 'user' instead of a password; with "
        "neither, the tickets of the process count (kinit, KRB5CCNAME)",
    ),
    Setting(
        name="authority",
        label="Authority that issues tokens",
        type=SettingType.URL,
        default="",
        advanced=True,
        help="for oauth2 and oauth2-user: AD FS as https://sts.example.com/adfs, Entra ID as "
        "https://login.microsoftonline.com/TENANT/v2.0; it tells token_url and sign_in_url",
    ),
    Setting(
        name="token_url",
        label="Where tokens are issued",
        type=SettingType.URL,
        default="",
        advanced=True,
        help="for oauth2 and oauth2-user: the token endpoint, where no authority tells it",
    ),
    Setting(
        name="sign_in_url",
        label="Where people sign in",
        type=SettingType.URL,
        default="",
        advanced=True,
        help="for oauth2-user: the authorization endpoint, where no authority tells it",
    ),
    Setting(name="client_id", label="Id of this application", default="", advanced=True),
    Setting(
        name="client_secret",
        label="Secret of this application",
        type=SettingType.SECRET,
        secret=True,
        advanced=True,
        help="for oauth2; oauth2-user needs it only where the authority wants it",
    ),
    Setting(
        name="client_secret_until",
        label="End of that secret",
        type=SettingType.DATE,
        default="",
        advanced=True,
        help="the day it expires, which the authority shows only where it is made; "
        "`accord status` tells it ahead",
    ),
    Setting(
        name="refresh_token",
        label="Token of the service account",
        type=SettingType.SECRET,
        secret=True,
        advanced=True,
        help="for oauth2-user; the tokens that replace it are kept encrypted beside it",
    ),
    Setting(
        name="refresh_tokens",
        label="Tokens by person",
        type=SettingType.TABLE,
        secret=True,
        advanced=True,
        help="for oauth2-user with own access, each person's",
    ),
    Setting(
        name="scope",
        label="What the token is for",
        default="",
        advanced=True,
        help="for oauth2 and oauth2-user; empty takes the server's address and /.default",
    ),
    Setting(
        name="resource",
        label="Resource at AD FS",
        default="",
        advanced=True,
        help="for AD FS: the identifier under which it knows Exchange, such as "
        "https://mail.example.com/",
    ),
)


class SignIn(Struct, frozen=True, kw_only=True):
    """Be the checked settings of how to sign in; `where` names the target in error texts."""

    where: str
    auth: str
    access: str
    user: str
    password: str
    users: dict[str, str]
    passwords: dict[str, str]
    keytab: str
    authority: str
    token_url: str
    sign_in_url: str
    client_id: str
    client_secret: str
    client_secret_until: str
    refresh_token: str
    refresh_tokens: dict[str, str]
    scope: str
    resource: str

    @property
    def by_token(self) -> bool:
        """Tell whether an authority issues tokens."""
        return self.auth in ("oauth2", "oauth2-user")


class Login(Struct, frozen=True, kw_only=True):
    """Be what one connection signs in with; `password` is a refresh token with oauth2-user."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Name the account without its password."""
        return f"Login(user={self.user!r})"


def login(config: SignIn, principal: str) -> Login:
    """Return what to sign in with for a person; raises ConfigError where that is missing."""
    if config.auth == "oauth2":
        return Login(user=config.client_id, password=config.client_secret)
    by_refresh = config.auth == "oauth2-user"
    if config.access != "own":
        secret = config.refresh_token if by_refresh else config.password
        return Login(user=config.user, password=secret)
    name = "refresh_tokens" if by_refresh else "passwords"
    table = config.refresh_tokens if by_refresh else config.passwords
    user = by_person(config.users, principal) or filled(config.user or "{principal}", principal)
    secret = by_person(table, principal)
    if not secret:
        raise ConfigError(
            f"{config.where}: there is no {'token' if by_refresh else 'password'} for "
            f"{principal or user!r}",
            field=name,
            hint="let them sign in with `accord init exchange --auth oauth2-user --access own`"
            if by_refresh
            else "add the person to 'passwords', or let a service account act for them",
        )
    return Login(user=user, password=secret)


def renewable(config: SignIn) -> tuple[Login, ...]:
    """Return the logins by refresh tokens, which an authority renews."""
    if config.auth != "oauth2-user":
        return ()
    if config.access != "own":
        return (login(config, ""),) if config.refresh_token else ()
    return tuple(login(config, person) for person in sorted(config.refresh_tokens))


def check_ways(config: SignIn, *, signed_in: bool = True) -> None:
    """Raise ConfigError for the first thing that a way to sign in lacks or can't be joined with.

    Without `signed_in` nobody has signed in yet, so no token is there.
    """
    for name in _needed(config, signed_in=signed_in):
        if not getattr(config, name):
            raise ConfigError(
                f"{config.where}: {name!r} is missing",
                field=name,
                hint=f"auth = {config.auth!r} with access = {config.access!r} needs it",
            )
    for name in ADDRESSES:
        _check_address(config.where, name, getattr(config, name))
    if config.by_token and not config.authority and not config.token_url:
        raise ConfigError(
            f"{config.where}: nothing says where tokens are issued",
            field="authority",
            hint="name the authority that Exchange trusts (AD FS, Entra ID), or its token_url",
        )
    if config.auth == "oauth2" and config.access == "own":
        raise ConfigError(
            f"{config.where}: an application signs in with oauth2, not each person",
            field="access",
            hint="use auth = 'oauth2-user', or access = 'impersonation' with the role "
            "ApplicationImpersonation",
        )
    if config.access == "own" and config.user and "{" not in config.user:
        raise ConfigError(
            f"{config.where}: the login name {config.user!r} would open one mailbox for everybody",
            field="user",
            hint="put {principal} or {local} into 'user', or list people in 'users'",
        )


def _needed(config: SignIn, *, signed_in: bool) -> tuple[str, ...]:
    match config.auth, config.access:
        case "oauth2", _:
            return ("client_id", "client_secret")
        case "oauth2-user", "own":
            return ("client_id",)
        case "oauth2-user", _:
            return ("client_id", "refresh_token") if signed_in else ("client_id",)
        case "kerberos", "own":
            return ()
        case "kerberos", _:
            return ("user",) if config.keytab or config.password else ()
        case _, "own":
            return ()
        case _:
            return ("user", "password")


def _check_address(where: str, name: str, url: str) -> None:
    """Raise ConfigError where secrets would travel so that others can read them."""
    parts = urlsplit(url)
    if url and (parts.scheme, bool(parts.hostname)) != ("https", True):
        if parts.scheme == "http" and is_near(parts.hostname):
            return
        raise ConfigError(
            f"{where}: {name!r} must be an https address, because secrets go there", field=name
        )


def of_both(config: SignIn) -> Mapping[str, str]:
    """Return what goes along with each question to the authority."""
    return {"resource": config.resource} if config.resource else {}
