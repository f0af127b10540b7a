"""Send mail over SMTP (RFC 5321): encrypted, the server's certificate checked, one at a time.

`causes` and the digest send by this.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from types import TracebackType

from accord.ports.clock import system_clock
from accord.ports.errors import AuthFailed, ConfigError, Rejected, Retry
from accord.ports.tls import trusting, untrusted
from accord.service.notices.settings import Security, SmtpSettings, secret


class Mailer:
    """Be a mail server, connected with the first mail and left at the end of the block."""

    def __init__(
        self, settings: SmtpSettings, folder: Path, fence: Callable[[], None] | None = None
    ) -> None:
        """Prepare; raises ConfigError where the settings don't do.

        `fence` is called right before each mail, and raises where it must not go any more.
        """
        if not settings.server:
            raise ConfigError(
                "no mail server is set", field="smtp.server", hint="add [smtp] to accord.toml"
            )
        self._settings, self._folder, self._fence = settings, folder, fence
        self._host, self._port = settings.place()
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Mailer:
        """Return the mailer."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Leave the server."""
        if self._server is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._server.quit()
        self._drop()

    def send(self, to: Iterable[str], subject: str, text: str) -> None:
        """Send one mail; raises Rejected where the server doesn't take it for these people.

        Raises Retry where the server can't be reached now, AuthFailed and ConfigError, and what
        the fence raises.
        """
        message = _message(self._settings.sender, list(to), subject, text)
        try:
            server = self._server or self._connect()
            if self._fence is not None:
                self._fence()
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _refused(self._host, code, said) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refused(self._host, error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            text = f"{self._host}: the mail server refuses login name or password"
            raise AuthFailed(f"{text} ({error.smtp_code})", code=str(error.smtp_code)) from error
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            if refused := untrusted(error, self._host, "the mail server's own authority"):
                raise ConfigError(
                    str(refused), field="smtp.ca_file", hint=refused.hint, code=refused.code
                ) from error
            raise Retry(
                f"{self._host}: no mail could be sent ({type(error).__name__})", after=300
            ) from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        timeout = settings.timeout
        ca_file = str(self._folder / settings.ca_file) if settings.ca_file else ""
        context = trusting(ca_file, "smtp")
        if settings.security is Security.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=timeout, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=timeout)
        self._server = server
        if settings.security is Security.STARTTLS:
            # Raises where the server has none: nothing goes on in plain text.
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, secret(settings.password, "smtp.password", self._folder))
        return server

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None


def _refused(host: str, code: int, said: bytes | str) -> Rejected | Retry:
    """Return the error for a refusal: codes of 400 and more pass by themselves (RFC 5321 4.2.1)."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = f"{host}: the mail server refuses it ({code} {' '.join(words.split())[:200]})"
    if 400 <= code < 500:
        return Retry(text, after=300, code=str(code))
    return Rejected(text, code=str(code))


def _message(sender: str, to: list[str], subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = " ".join(subject.split())[:200]
    message["Date"] = format_datetime(system_clock())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # RFC 3834: no automatic reply is to answer it.
    message["Auto-Submitted"] = "auto-generated"
    # Fit for servers that take no more than seven bits.
    message.set_content(text, cte="quoted-printable")
    return message
