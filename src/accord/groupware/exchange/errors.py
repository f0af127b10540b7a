"""From what Exchange answers to what the caller should do; the one table of this adapter.

Response codes: ResponseCodeType of the schema; SOAP faults carry the same in their detail.
"""

from __future__ import annotations

from collections.abc import Mapping

from accord.ports.errors import (
    AccordError,
    AuthFailed,
    ConfigError,
    CursorExpired,
    Denied,
    Gone,
    ItemError,
    Rejected,
    Retry,
    Stale,
)
from accord.ports.http import DOWN, LONGEST_WAIT, Told, retry_after
from accord.ports.mailbox_state import ADVICE, MailboxState

_BUSY = "the server asks to be left alone for a while"
_MOVING = "the mailbox is being moved to another database"
_DOWN = "the mailbox's database is not available now"
_DISABLED = "the account or its mailbox is disabled"
_NO_MAILBOX = "there is no such mailbox on this server (or no longer: it may have moved)"
_FULL = "the mailbox is over its quota"
_IMPERSONATE = "the account may not act as this person"
_DENIED = "this account may not do that"
_FOLDER = "the folder isn't there any more"
_UNREADABLE = "the server itself can't read the item"
_INVALID = "the server finds the item invalid"
_ID = "the server doesn't know such an id"
_PASSWORD = "the password has run out"
_FAILED = "the server failed"
_TOO_MUCH = "the request asks for more than the server does at once"

CODES: dict[str, tuple[type[AccordError], str]] = {
    # Leave it alone for a while.
    "ErrorServerBusy": (Retry, _BUSY),
    "ErrorExceededConnectionCount": (Retry, "too many connections of this account are open"),
    "ErrorTooManyObjectsOpened": (Retry, _BUSY),
    "ErrorInsufficientResources": (Retry, _BUSY),
    "ErrorNotEnoughMemory": (Retry, _BUSY),
    "ErrorBatchProcessingStopped": (Retry, "the server stopped in the middle of a batch"),
    "ErrorTimeoutExpired": (Retry, "the server needed too long"),
    "ErrorRequestAborted": (Retry, _FAILED),
    "ErrorClientDisconnected": (Retry, _FAILED),
    "ErrorConnectionFailed": (Retry, _FAILED),
    "ErrorServiceUnavailable": (Retry, _FAILED),
    "ErrorInternalServerError": (Retry, _FAILED),
    "ErrorInternalServerTransientError": (Retry, _FAILED),
    "ErrorADUnavailable": (Retry, "the directory is not available now"),
    "ErrorADOperation": (Retry, "the directory is not available now"),
    "ErrorProxyCallFailed": (Retry, _FAILED),
    "ErrorProxyRequestProcessingFailed": (Retry, _FAILED),
    "ErrorProxySoapException": (Retry, _FAILED),
    "ErrorProxyTokenExpired": (Retry, _FAILED),
    "ErrorNoRespondingCASInDestinationSite": (Retry, _FAILED),
    "ErrorCrossSiteRequest": (Retry, "the mailbox is served elsewhere"),
    "ErrorDataSourceOperation": (Retry, _FAILED),
    "ErrorItemSave": (Retry, "the server could not save the item"),
    "ErrorFolderSave": (Retry, "the server could not save the folder"),
    "ErrorMoveCopyFailed": (Retry, "the server could not move the item"),
    "ErrorCannotDeleteObject": (Retry, "the server could not delete the item"),
    "ErrorResultSetTooBig": (Retry, _TOO_MUCH),
    "ErrorExceededFindCountLimit": (Retry, _TOO_MUCH),
    "ErrorRestrictionTooLong": (Retry, _TOO_MUCH),
    "ErrorRestrictionTooComplex": (Retry, _TOO_MUCH),
    "ErrorRequestStreamTooBig": (Rejected, "the item is larger than the server takes"),
    # States of the mailbox: nothing follows for its items.
    "ErrorMailboxMoveInProgress": (Retry, _MOVING),
    "ErrorMailboxFailover": (Retry, _MOVING),
    "ErrorMailboxStoreUnavailable": (Retry, _DOWN),
    "ErrorQuotaExceeded": (Retry, _FULL),
    "ErrorSubmissionQuotaExceeded": (Retry, "the mailbox has sent as much as it may for now"),
    "ErrorMessagePerFolderCountReceiveQuotaExceeded": (Retry, "the folder is full"),
    "ErrorAccountDisabled": (ConfigError, _DISABLED),
    "ErrorMailboxLogonFailed": (ConfigError, _DISABLED),
    "ErrorMailboxConfiguration": (ConfigError, _DISABLED),
    "ErrorNonExistentMailbox": (ConfigError, _NO_MAILBOX),
    "ErrorMissingExchangePrincipal": (ConfigError, _NO_MAILBOX),
    "ErrorInvalidUserPrincipalName": (ConfigError, _NO_MAILBOX),
    "ErrorInvalidUserSid": (ConfigError, _NO_MAILBOX),
    "ErrorInvalidMailbox": (ConfigError, _NO_MAILBOX),
    "ErrorNonPrimarySmtpAddress": (
        ConfigError,
        "that is another address of the mailbox; the primary one is needed",
    ),
    # Rights and sign-in.
    "ErrorAccessDenied": (Denied, _DENIED),
    "ErrorCreateItemAccessDenied": (Denied, _DENIED),
    "ErrorCreateSubfolderAccessDenied": (Denied, _DENIED),
    "ErrorNotDelegate": (Denied, _DENIED),
    "ErrorNoFreeBusyAccess": (Denied, "this person's free/busy times are not to be seen"),
    "ErrorSendAsDenied": (Denied, "this account may not send as this person"),
    "ErrorDistinguishedUserNotSupported": (Denied, _DENIED),
    "ErrorImpersonateUserDenied": (ConfigError, _IMPERSONATE),
    "ErrorImpersonationDenied": (ConfigError, _IMPERSONATE),
    "ErrorImpersonationFailed": (ConfigError, _IMPERSONATE),
    "ErrorCallerIsInvalidADAccount": (AuthFailed, "the account is none of the directory's"),
    "ErrorPasswordExpired": (AuthFailed, _PASSWORD),
    "ErrorPasswordChangeRequired": (AuthFailed, "the password must be changed"),
    "ErrorInvalidAuthorizationContext": (AuthFailed, "the server refuses the sign-in"),
    "ErrorLogonAsNetworkServiceFailed": (AuthFailed, "the server refuses the sign-in"),
    "ErrorOrganizationAccessBlocked": (ConfigError, "the organization blocks this access"),
    "ErrorInvalidLicense": (ConfigError, "the server says that its licence doesn't allow this"),
    "ErrorInvalidServerVersion": (ConfigError, "the server is older than Exchange 2013 SP1"),
    "ErrorIncorrectSchemaVersion": (ConfigError, "the server is older than Exchange 2013 SP1"),
    "ErrorInvalidSchemaVersionForMailboxVersion": (
        ConfigError,
        "the mailbox is on a server older than Exchange 2013 SP1",
    ),
    # What was asked for isn't there.
    "ErrorItemNotFound": (Gone, "it isn't there any more"),
    "ErrorCalendarCannotUpdateDeletedItem": (Gone, "it was deleted"),
    "ErrorCalendarOccurrenceIsDeletedFromRecurrence": (Gone, "the occurrence was deleted"),
    "ErrorFolderNotFound": (ConfigError, _FOLDER),
    "ErrorParentFolderNotFound": (ConfigError, _FOLDER),
    "ErrorSavedItemFolderNotFound": (ConfigError, _FOLDER),
    "ErrorToFolderNotFound": (ConfigError, _FOLDER),
    "ErrorFolderCorrupt": (ConfigError, "the server itself can't read the folder"),
    # Somebody was faster.
    "ErrorIrresolvableConflict": (Stale, "it was changed meanwhile"),
    "ErrorStaleObject": (Stale, "it was changed meanwhile"),
    "ErrorInvalidChangeKey": (Stale, "the server doesn't know this version"),
    "ErrorChangeKeyRequired": (Stale, "the version to change is not known"),
    "ErrorChangeKeyRequiredForWriteOperations": (Stale, "the version to change is not known"),
    "ErrorObjectTypeChanged": (Stale, "it is another kind of item by now"),
    # The cursor.
    "ErrorInvalidSyncStateData": (CursorExpired, "the server no longer knows this cursor"),
    "ErrorSyncFolderNotFound": (ConfigError, _FOLDER),
    "ErrorInvalidWatermark": (CursorExpired, "the server no longer knows this watermark"),
    # This item will not do.
    "ErrorCorruptData": (Rejected, _UNREADABLE),
    "ErrorItemCorrupt": (Rejected, _UNREADABLE),
    "ErrorContentConversionFailed": (Rejected, _UNREADABLE),
    "ErrorMimeContentConversionFailed": (Rejected, _UNREADABLE),
    "ErrorItemPropertyRequestFailed": (Rejected, _UNREADABLE),
    "ErrorResponseSchemaValidation": (Rejected, _UNREADABLE),
    "ErrorVirusDetected": (Rejected, "the server found a virus in it"),
    "ErrorVirusMessageDeleted": (Rejected, "the server found a virus in it"),
    "ErrorInvalidId": (Rejected, _ID),
    "ErrorInvalidIdEmpty": (Rejected, _ID),
    "ErrorInvalidIdMalformed": (Rejected, _ID),
    "ErrorInvalidIdMalformedEwsLegacyIdFormat": (Rejected, _ID),
    "ErrorInvalidIdMonikerTooLong": (Rejected, _ID),
    "ErrorInvalidIdXml": (Rejected, _ID),
    "ErrorInvalidFolderId": (ConfigError, _FOLDER),
    "ErrorSchemaValidation": (Rejected, _INVALID),
    "ErrorInvalidRequest": (Rejected, _INVALID),
    "ErrorInvalidArgument": (Rejected, _INVALID),
    "ErrorInvalidPropertySet": (Rejected, _INVALID),
    "ErrorInvalidPropertyDelete": (Rejected, _INVALID),
    "ErrorInvalidPropertyRequest": (Rejected, _INVALID),
    "ErrorInvalidExtendedPropertyValue": (Rejected, _INVALID),
    "ErrorInvalidValueForProperty": (Rejected, _INVALID),
    "ErrorPropertyUpdate": (Rejected, _INVALID),
    "ErrorPropertyValidationFailure": (Rejected, _INVALID),
    "ErrorItemSavePropertyError": (Rejected, _INVALID),
    "ErrorUpdatePropertyMismatch": (Rejected, _INVALID),
    "ErrorIncorrectUpdatePropertyCount": (Rejected, _INVALID),
    "ErrorRequiredPropertyMissing": (Rejected, _INVALID),
    "ErrorValueOutOfRange": (Rejected, _INVALID),
    "ErrorInvalidPercentCompleteValue": (Rejected, _INVALID),
    "ErrorInvalidCompleteDate": (Rejected, _INVALID),
    "ErrorInvalidContactEmailAddress": (Rejected, "the server doesn't take this e-mail address"),
    "ErrorInvalidContactEmailIndex": (Rejected, _INVALID),
    "ErrorInvalidSmtpAddress": (Rejected, "the server doesn't take this e-mail address"),
    "ErrorInvalidRecipients": (Rejected, "the server doesn't take these attendees"),
    "ErrorCalendarDurationIsTooLong": (Rejected, "the entry is longer than the server takes"),
    "ErrorCalendarEndDateIsEarlierThanStartDate": (Rejected, "the end is before the start"),
    "ErrorCalendarInvalidRecurrence": (Rejected, "the server doesn't take this series"),
    "ErrorCalendarInvalidDayForTimeChangePattern": (Rejected, "the server doesn't take this zone"),
    "ErrorCalendarInvalidDayForWeeklyRecurrence": (Rejected, "the server doesn't take this series"),
    "ErrorCalendarInvalidPropertyState": (Rejected, _INVALID),
    "ErrorCalendarInvalidPropertyValue": (Rejected, _INVALID),
    "ErrorCalendarInvalidTimeZone": (Rejected, "the server doesn't take this zone"),
    "ErrorCalendarOutOfRange": (Rejected, "the date is outside of what the server takes"),
    "ErrorCalendarIsNotOrganizer": (Rejected, "somebody else organizes this meeting"),
    "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": (Rejected, "no such occurrence"),
    "ErrorOccurrenceCrossingBoundary": (
        Rejected,
        "an occurrence may not cross its neighbour",
    ),
    "ErrorOccurrenceTimeSpanTooBig": (Rejected, "the occurrence is too long"),
    "ErrorRecurrenceEndDateTooBig": (Rejected, "the series ends later than the server takes"),
    "ErrorRecurrenceHasNoOccurrence": (Rejected, "the series has no occurrence"),
    "ErrorUnsupportedRecurrence": (Rejected, "the server doesn't take this series"),
    "ErrorTimeZone": (Rejected, "the server doesn't take this zone"),
    "ErrorMailRecipientNotFound": (Rejected, "the server knows nobody of this address"),
    "ErrorTimeIntervalTooBig": (Rejected, "the time asked for is too long"),
    "ErrorInvalidTimeInterval": (Rejected, "the time asked for is none"),
    "ErrorMessageSizeExceeded": (Rejected, "the item is larger than the server takes"),
    "ErrorAttachmentSizeLimitExceeded": (Rejected, "an attachment is too large"),
    "ErrorDataSizeLimitExceeded": (Rejected, "the item is larger than the server takes"),
    "ErrorCannotCreateCalendarItemInNonCalendarFolder": (Rejected, "the folder is no calendar"),
    "ErrorCannotCreateContactInNonContactFolder": (Rejected, "the folder holds no contacts"),
    "ErrorCannotCreateTaskInNonTaskFolder": (Rejected, "the folder holds no tasks"),
    "ErrorFolderExists": (Rejected, "a folder of this name is there already"),
    "ErrorInvalidOperation": (Rejected, "the server doesn't do that with this item"),
    "ErrorUnsupportedPathForQuery": (Rejected, "the server can't search by that"),
    "ErrorInvalidRestriction": (Rejected, "the server can't search by that"),
    "ErrorUnsupportedQueryFilter": (Rejected, "the server can't search by that"),
}
"""What a response code means, whether it stands in a message of a batch or in a SOAP fault."""

STATES = {
    _MOVING: MailboxState.MOVING,
    _NO_MAILBOX: MailboxState.MOVED,
    _DISABLED: MailboxState.DISABLED,
    _FULL: MailboxState.FULL,
    _IMPERSONATE: MailboxState.CLOSED,
}
"""Which of these mean a state of the whole mailbox, by its name."""

HINTS = {
    _IMPERSONATE: "give the account the management role ApplicationImpersonation for this person",
    _DISABLED: ADVICE[MailboxState.DISABLED],
    _NO_MAILBOX: ADVICE[MailboxState.MOVED],
    _FOLDER: "choose another folder for the link; its items count as neither deleted nor moved",
}
"""How to mend what only an administrator can."""

WAITS = {
    "ErrorMailboxMoveInProgress": 300.0,
    "ErrorMailboxFailover": 120.0,
    "ErrorMailboxStoreUnavailable": 120.0,
    "ErrorQuotaExceeded": 900.0,
    "ErrorSubmissionQuotaExceeded": 900.0,
    "ErrorMessagePerFolderCountReceiveQuotaExceeded": 900.0,
    "ErrorServerBusy": 30.0,
    "ErrorExceededConnectionCount": 30.0,
}
"""Seconds to wait before trying again, where the server doesn't say; a minute for the rest."""

_ELSEWHERE = "the server sends to another address"

STATUSES: dict[int, tuple[type[AccordError], str]] = {
    **dict.fromkeys((301, 302, 307, 308), (ConfigError, _ELSEWHERE)),
    400: (Rejected, "the server finds the request malformed"),
    401: (AuthFailed, "the server refuses login name or password"),
    403: (ConfigError, "the server refuses this client"),
    404: (ConfigError, "there are no Exchange Web Services at this address"),
    405: (ConfigError, "there are no Exchange Web Services at this address"),
    407: (ConfigError, "the proxy asks for a login"),
    408: (Retry, "the server waited too long for the request"),
    413: (Rejected, "the item is larger than the server takes"),
    429: (Retry, _BUSY),
    440: (AuthFailed, "the server refuses login name or password"),
    456: (ConfigError, _DISABLED),
    501: (ConfigError, "there are no Exchange Web Services at this address"),
    503: (Retry, _BUSY),
}
"""What an HTTP status means where no SOAP fault says more."""

_STRANGE = "Exchange Web Services never answer so"
_STATUS_WAITS = {429: 30.0, 503: 30.0, 502: 15.0, 504: 15.0}
_STATUS_HINTS = {
    403: "let this user agent use EWS (EwsApplicationAccessPolicy), and this account (EwsEnabled)",
    404: "set 'url' to the address that Autodiscover tells, ending in /EWS/Exchange.asmx",
}


def error_for(code: str, text: str, what: str, backoff: float | None = None) -> AccordError:
    """Return the error that fits a response code.

    `what` names the place, for people; `text` is what the server says; `backoff` how many
    seconds it asks to wait, None where it doesn't say. A code that isn't in the table can't be
    trusted to concern the item, and so is asked for again later.
    """
    default = (Rejected if "Invalid" in code or "Unsupported" in code else Retry, "the server says")
    react, why = CODES.get(code, default)
    said = f": {_one_line(text)}" if text else ""
    message = f"{what}: {why} ({code}{said})"
    return of_state(_error(react, why, message, code, backoff), STATES.get(why, ""))


def _error(
    react: type[AccordError], why: str, message: str, code: str, backoff: float | None
) -> AccordError:
    if react is Retry:
        if backoff is not None:
            return Told(message, after=min(backoff, LONGEST_WAIT), code=code)
        return Retry(message, after=WAITS.get(code, 60.0), code=code)
    if react is ConfigError:
        field = "folder" if why == _FOLDER else "access" if why == _IMPERSONATE else "principal"
        return ConfigError(message, field=field, hint=HINTS.get(why, ""), code=code)
    return react(message, code=code)


def of_state(error: AccordError, state: str) -> AccordError:
    """Return an error with the name of the mailbox's state that is behind it."""
    error.state = state
    return error


def status_error(status: int, headers: Mapping[str, str], what: str, auth: str = "") -> AccordError:
    """Return the error that fits an HTTP status without a SOAP fault; `auth` is how we sign in."""
    react, why = STATUSES.get(status, _unknown(status))
    if react is AuthFailed:
        why = _refused(auth, headers) or why
    message, code = f"{what}: {why} ({status})", str(status)
    if react is Retry:
        after = retry_after(headers)
        if after is not None:
            return Told(message, after=after, code=code, everybody=status in DOWN)
        wait = _STATUS_WAITS.get(status, 60.0)
        return Retry(message, after=wait, code=code, everybody=status in DOWN)
    if react is ConfigError:
        hint = _STATUS_HINTS.get(status) or HINTS.get(why, "")
        error = ConfigError(message, field="url", hint=hint, code=code)
        return of_state(error, STATES.get(why, ""))
    return react(message, code=code)


def _unknown(status: int) -> tuple[type[AccordError], str]:
    if status >= 500:
        return Retry, _FAILED
    # What is no error says nothing about an item: somebody else has answered.
    return (Rejected, "the server refuses") if status >= 400 else (Retry, _STRANGE)


def _refused(auth: str, headers: Mapping[str, str]) -> str:
    """Return what a refused sign-in was, and what the server says of a token it didn't take."""
    if auth == "kerberos":
        return "the server refuses the Kerberos ticket"
    if not auth.startswith("oauth2"):
        return ""
    said = _one_line(headers.get("x-ms-diagnostics", ""))
    if _APP_ONLY in said.casefold():
        return (
            "the server takes no tokens of applications on their own; use auth = 'oauth2-user' "
            f"with the service account: {said}"
        )
    return "the server refuses the token" + (f": {said}" if said else "")


_APP_ONLY = "apponly"
"""In the name of the profile of such tokens (V1S2SAppOnly), which Exchange refuses over EWS."""


def of_folder(error: AccordError) -> AccordError:
    """Return what an error means that concerns a whole folder: nothing about its items."""
    if isinstance(error, AuthFailed | Retry | ConfigError | CursorExpired):
        return error
    if isinstance(error, Denied):
        hint = "give this account access to the folder again, or choose another folder"
        closed = ConfigError(str(error), field="folder", hint=hint, code=error.code)
        return of_state(closed, MailboxState.CLOSED)
    return ConfigError(str(error), field="folder", hint=HINTS[_FOLDER], code=error.code)


def of_request(error: AccordError) -> AccordError:
    """Return what an error means that refuses a whole request, not one item of it."""
    if isinstance(error, Denied):
        hint = "give the account the rights that 'access' needs"
        closed = ConfigError(str(error), field="access", hint=hint, code=error.code)
        return of_state(closed, MailboxState.CLOSED)
    return (
        Retry(str(error), after=600.0, code=error.code) if isinstance(error, ItemError) else error
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
