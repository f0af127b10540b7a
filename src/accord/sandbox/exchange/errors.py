"""What Exchange answers where it can't do what was asked: response codes and SOAP faults."""

from __future__ import annotations

TEXTS = {
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorAffectedTaskOccurrencesRequired": (
        "AffectedTaskOccurrences attribute is required for Task items."
    ),
    "ErrorAttachmentSizeLimitExceeded": "The attachment exceeds the maximum supported size.",
    "ErrorMimeContentInvalid": "The MIME content is invalid.",
    "ErrorMissingItemForCreateItemAttachment": "The item to attach is missing.",
    "ErrorCalendarDurationIsTooLong": "The calendar item duration is too long.",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "EndDate is earlier than StartDate",
    "ErrorCalendarCannotMoveOrCopyOccurrence": "An occurrence can't be moved or copied.",
    "ErrorCalendarCannotUseIdForOccurrenceId": "The id is not one of a recurring master.",
    "ErrorCalendarCannotUseIdForRecurringMasterId": "The id is not one of an occurrence.",
    "ErrorCalendarIsCancelledForAccept": "The meeting was cancelled.",
    "ErrorCalendarIsCancelledForDecline": "The meeting was cancelled.",
    "ErrorCalendarIsCancelledForTentative": "The meeting was cancelled.",
    "ErrorCalendarIsNotOrganizer": "Only the organizer of a meeting can cancel it.",
    "ErrorCalendarIsOrganizerForAccept": "The organizer of a meeting does not reply to it.",
    "ErrorCalendarIsOrganizerForDecline": "The organizer of a meeting does not reply to it.",
    "ErrorCalendarIsOrganizerForTentative": "The organizer of a meeting does not reply to it.",
    "ErrorCalendarInvalidRecurrence": "The recurrence is not valid.",
    "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": (
        "Occurrence index is out of recurrence range."
    ),
    "ErrorCalendarOccurrenceIsDeletedFromRecurrence": (
        "Occurrence with this index was previously deleted from the recurrence."
    ),
    "ErrorOccurrenceCrossingBoundary": (
        "Modified occurrence is crossing or overlapping adjacent occurrence."
    ),
    "ErrorRecurrenceHasNoOccurrence": "The recurrence has no occurrences.",
    "ErrorCalendarViewRangeTooBig": (
        "The specified view range exceeds the maximum range of two years."
    ),
    "ErrorChangeKeyRequiredForWriteOperations": ("A change key is required for this operation."),
    "ErrorExceededConnectionCount": (
        "You have exceeded the available concurrent connections for your account."
    ),
    "ErrorExceededSubscriptionCount": "The account has too many subscriptions.",
    "ErrorExpiredSubscription": "The subscription has expired.",
    "ErrorFolderExists": "A folder with the specified name already exists.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorImpersonateUserDenied": (
        "The account does not have permission to impersonate the requested user."
    ),
    "ErrorIncorrectUpdatePropertyCount": (
        "An object within a change description must contain one and only one property to modify."
    ),
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorInvalidExtendedPropertyValue": ("The extended property value does not match its type."),
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidPropertyAppend": "The property can't be appended to.",
    "ErrorInvalidPropertyDelete": "Property can not be deleted.",
    "ErrorInvalidPropertyRequest": "Property is not valid for this object type.",
    "ErrorInvalidPropertySet": "Set action is invalid for property.",
    "ErrorInvalidPullSubscriptionId": "The subscription is not one for pull notifications.",
    "ErrorInvalidRequest": "The request is invalid.",
    "ErrorInvalidSubscription": "The subscription is not valid.",
    "ErrorInvalidSubscriptionRequest": "The subscription can't be made as requested.",
    "ErrorInvalidSyncStateData": "Synchronization state data is corrupt or otherwise invalid.",
    "ErrorInvalidMergedFreeBusyInterval": "The interval must be between 5 and 1440 minutes.",
    "ErrorInvalidTimeInterval": "The time must end after it begins.",
    "ErrorTimeIntervalTooBig": "The time is longer than 62 days.",
    "ErrorInvalidWatermark": "The watermark used for creating this subscription was not found.",
    "ErrorIrresolvableConflict": (
        "The send or update operation could not be performed because the change key passed in "
        "the request does not match the current change key for the item."
    ),
    "ErrorItemCorrupt": "The item is corrupt.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorMailboxMoveInProgress": "The mailbox is being moved. Try again later.",
    "ErrorMailboxStoreUnavailable": "The mailbox database is temporarily unavailable.",
    "ErrorMessageDispositionRequired": ("Message disposition is required for Message items."),
    "ErrorMessageSizeExceeded": "The message exceeds the maximum supported size.",
    "ErrorNonExistentMailbox": ("The SMTP address has no mailbox associated with it."),
    "ErrorObjectTypeChanged": "The type of the object in the store has changed.",
    "ErrorQuotaExceeded": "The operation can't be done because the mailbox is over its quota.",
    "ErrorSchemaValidation": "The request failed schema validation.",
    "ErrorSendMeetingCancellationsRequired": (
        "SendMeetingCancellations attribute is required for Calendar items."
    ),
    "ErrorSendMeetingInvitationsOrCancellationsRequired": (
        "SendMeetingInvitationsOrCancellations attribute is required for calendar items."
    ),
    "ErrorSendMeetingInvitationsRequired": (
        "SendMeetingInvitations attribute is required for calendar items."
    ),
    "ErrorServerBusy": ("The server cannot service this request right now. Try again later."),
    "ErrorSubscriptionAccessDenied": "The subscription belongs to somebody else.",
    "ErrorSubscriptionNotFound": "The specified subscription was not found.",
    "ErrorUnsupportedPathForQuery": ("The property can't be used in a restriction."),
    "ErrorUpdatePropertyMismatch": (
        "The property specified in the change does not match the property in the object."
    ),
    "ErrorAccountDisabled": "The account is disabled.",
    "ErrorInvalidOperation": "The operation can't be done on this object.",
    "ErrorCannotCreateCalendarItemInNonCalendarFolder": (
        "The calendar item can't be created in a folder of another kind."
    ),
    "ErrorCannotCreateContactInNonContactFolder": (
        "The contact can't be created in a folder of another kind."
    ),
    "ErrorCannotCreateTaskInNonTaskFolder": (
        "The task can't be created in a folder of another kind."
    ),
    "ErrorDeleteDistinguishedFolder": "Distinguished folders cannot be deleted.",
}


class EwsError(Exception):
    """One thing of a batch can't be done: a response message with this code."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text or TEXTS.get(code, code)


class SoapFault(Exception):
    """The whole request can't be served: a SOAP fault, HTTP 500 unless said otherwise."""

    def __init__(
        self,
        code: str,
        text: str = "",
        *,
        status: int = 500,
        details: dict[str, str] | None = None,
        violation: tuple[int, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.text = text or TEXTS.get(code, code)
        self.status = status
        self.details = details or {}
        self.violation = violation
