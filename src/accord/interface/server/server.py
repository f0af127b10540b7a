"""CRM.interface as a function: from the bytes of a request to the bytes of its answer.

Here is what all messages share: decoding, answering twice alike, one message of a device at a
time, signing in, and that nothing whatever ends without an answer.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from accord.formats.syncml import message as m
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.media import Media, media
from accord.formats.syncml.message import Header, Location, Message, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version
from accord.interface.connector import conversation
from accord.interface.server import session
from accord.interface.server.house import House, Turn
from accord.interface.server.reply import Reply, refusal
from accord.interface.server.signin import Admitted, Turned
from accord.interface.server.talk import Connector, Stage, Talk, decode
from accord.ports.errors import AccordError, AuthFailed, Retry
from accord.ports.fault import contained
from accord.ports.tls import is_near
from accord.ports.token import CONNECTOR
from accord.state.records import Lease
from accord.state.taking import take

_log = logging.getLogger("accord.interface")

_LONGEST = 255
_LONGEST_ID = 64
_LONGEST_NAME = 64
_LEASE = 120.0
_WAIT = 20.0
_LEAST = 5_000
"""A message of ours may have so many bytes, whatever less a peer claims to take."""

_KEY = "s"


class Request(Struct, frozen=True, kw_only=True):
    """Be a request: its body and type, and whose it is.

    `url` is where the client sent it, as far as that is known, and `query` what stood behind `?`.
    """

    body: bytes
    content_type: str
    url: str = ""
    query: str = ""
    peer: str = ""
    signature: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """Be an answer; where `status` isn't 200 the request was no message at all."""

    body: bytes
    content_type: str
    status: int = 200


class Server:
    """Answer requests; safe to use from many threads and processes at once."""

    def __init__(self, house: House) -> None:
        """Keep what all conversations share."""
        self._house = house
        most = house.settings.max_message
        self._limits = Limits(size=max(4 * most, 1_000_000))
        self._pruned = datetime.min.replace(tzinfo=UTC)

    @property
    def most(self) -> int:
        """Return how many bytes a request may have."""
        return self._limits.size

    def answer(self, request: Request) -> Answer:
        """Answer one request, whatever it is."""
        try:
            coding = media(request.content_type)
        except Malformed as refused:
            return Answer(body=f"{refused}\n".encode(), content_type="text/plain", status=415)
        try:
            message = coding.decode(request.body, self._limits)
        except Malformed as refused:
            return self._malformed(coding, refused)
        try:
            reply = self._converse(coding, message, request)
        except Retry as error:
            _log.info("interface.busy", extra=_about(message, error))
            reply = self._refuse(coding, message, StatusCode.RETRY_LATER)
        except AuthFailed as error:
            _log.info("interface.not_let_in", extra=_about(message, error))
            reply = self._refuse(coding, message, StatusCode.FORBIDDEN)
        except AccordError as error:
            _log.error("interface.failed", extra=_about(message, error))
            reply = self._refuse(coding, message, StatusCode.DATA_STORE_FAILURE)
        except Exception as error:  # noqa: BLE001 (the edge: a device must get an answer)
            contained(error, f"answering {message.header.source.uri}")
            reply = self._refuse(coding, message, StatusCode.COMMAND_FAILED)
        return Answer(body=reply, content_type=coding.value)

    def _malformed(self, coding: Media, refused: Malformed) -> Answer:
        _log.info("interface.malformed", extra={"why": str(refused), "where": refused.prop})
        if refused.header is None:
            return Answer(body=b"that is no SyncML\n", content_type="text/plain", status=400)
        message = Message(header=refused.header)
        return Answer(body=self._refuse(coding, message, refused.status), content_type=coding.value)

    def _refuse(
        self, coding: Media, message: Message, code: StatusCode, chal: m.Chal | None = None
    ) -> bytes:
        peer = (message.header.meta or Meta()).max_msg_size or 0
        limit = _limit(self._house.settings.max_message, peer)
        head = _head(_brief(message.header))
        if len(coding.encode(Message(header=head))) > limit // 2:
            head = replace(head, target=Location(head.target.uri))
        reply = refusal(coding, message, head, code, chal, limit)
        return coding.encode(reply)

    def _converse(self, coding: Media, message: Message, request: Request) -> bytes:
        device, name = message.header.source.uri, message.header.session_id
        if not (device and name and (device + name).isprintable() and _is_brief(message.header)):
            return self._refuse(coding, message, StatusCode.URI_TOO_LONG)
        if conversation.only_asks(message):
            return self._alone(coding, message, request, anew=True)
        lease = self._lease(device)
        try:
            return self._alone(coding, message, request)
        finally:
            self._house.state.run(lambda tx: tx.leases.release(lease), durable=False)

    def _lease(self, device: str) -> Lease:
        """Wait for the right to speak with a device alone; raises Retry."""
        # Few names for all devices there may be: a lease leaves a row, and strangers ask for some.
        name = f"syncml:{hashlib.sha256(device.encode('utf-8', 'replace')).hexdigest()[:4]}"
        late = time.monotonic() + _WAIT
        pause = 0.01
        while time.monotonic() < late:
            found = self._house.state.run(lambda tx: take(tx.leases, name, _LEASE), durable=False)
            if found is not None:
                return found
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        raise Retry("another message of this device is being answered", after=10)

    def _alone(
        self, coding: Media, message: Message, request: Request, *, anew: bool = False
    ) -> bytes:
        house, header = self._house, message.header
        device, name = header.source.uri, header.session_id
        digest = _digest(request)
        since = house.now() - house.settings.patience
        stored = []
        if not anew:
            with house.state.read() as tx:
                stored = tx.sync_sessions.of(device, name, since)
        again = next((one.reply for one in stored if one.digest == digest), None)
        if again is not None:
            return again
        # Whose it is the secret address tells: two people's devices may have the same names.
        talks = [decode(one.data) for one in stored]
        talk = next((one for one in talks if self._goes_on(one, message, request)), None)
        code, chal = StatusCode.OK, None
        if talk is not None and talk.secret:
            who = talk.user, talk.secret, talk.device
            chal = house.sign_in.sealed(*who, request.signature, request.body)
            talk = talk if chal is not None else None
        if talk is None:
            admitted = house.sign_in.check(header, request.peer, request.signature, request.body)
            if isinstance(admitted, Turned):
                return self._refuse(coding, message, admitted.code, admitted.chal)
            talk = next((one for one in talks if _proves(one, message, admitted)), None)
            chal = admitted.chal
            if talk is None:
                talk, code = self._begin(message, admitted, request.url)
            if talk.user == CONNECTOR and talk.connector is None:
                return self._refuse(coding, message, StatusCode.FORBIDDEN)
        if talk.owes_too_much:
            raise Retry("the device doesn't take the answers to what it asks", after=60)
        data = self._turn(coding, message, talk, code, chal, request.url)
        if talk.connector is not None and not talk.connector.stays:
            return data
        return self._keep(talk, digest, data)

    def _goes_on(self, talk: Talk, message: Message, request: Request) -> bool:
        """Tell whether a message belongs to a conversation: it came to its secret address."""
        given = dict(parse_qsl(request.query)).get(_KEY, "").encode("utf-8", "replace")
        here = secrets.compare_digest(given, talk.key.encode())
        return bool(talk.key) and here and message.header.msg_id != "1"

    def _begin(self, message: Message, admitted: Admitted, url: str) -> tuple[Talk, StatusCode]:
        self._prune()
        header = message.header
        self._house.state.run(lambda tx: tx.sync_sessions.trim(admitted.user), durable=False)
        talk = Talk(
            device=header.source.uri,
            session=header.session_id,
            user=admitted.user,
            key=secrets.token_urlsafe(18) if self._there(header, url) else "",
            secret=admitted.secret,
        )
        if admitted.by_token and conversation.introduces(message):
            talk.connector = Connector()
        # Who signs each message, or can't be told a secret address, proves it with each message.
        each = admitted.secret or not talk.key
        return talk, StatusCode.OK if each else StatusCode.AUTHENTICATION_ACCEPTED

    def _turn(
        self,
        coding: Media,
        message: Message,
        talk: Talk,
        code: StatusCode,
        chal: m.Chal | None,
        url: str,
    ) -> bytes:
        settings, meta = self._house.settings, message.header.meta or Meta()
        own = settings.max_message if talk.connector is None else self._limits.size
        talk.peer_message = meta.max_msg_size or talk.peer_message
        talk.peer_object = meta.max_obj_size or talk.peer_object
        fresh = code is StatusCode.AUTHENTICATION_ACCEPTED or chal is not None
        head = _head(message.header, own, settings.max_object)
        if talk.connector is not None:
            source = Location(message.header.target.uri, self._house.crm.instance)
            head = replace(head, source=source)
        there = self._there(message.header, url) if fresh and talk.key else None
        if there is not None:
            head = replace(head, resp_uri=_address(there, talk.key))
        limit = _limit(own, talk.peer_message)
        turn = Turn(self._house, talk, message, Reply(coding, message.header, talk, limit, head))
        try:
            if talk.connector is not None:
                return coding.encode(conversation.answer(turn, code))
            return coding.encode(session.answer(turn, code, chal))
        except AuthFailed as error:
            turn.stray("", str(error))
            raise
        finally:
            turn.close()

    def _there(self, header: Header, url: str) -> SplitResult | None:
        """Return where a client is told to send what follows; None where nobody can tell.

        It is the address that the client calls, or else the one in the settings, or the one that
        the request came to: that only where it is encrypted all the way, or stays on this machine.
        """
        named = _web(header.target.uri) or _web(self._house.settings.address)
        came = _web(url)
        if (
            named is None
            and came is not None
            and (came.scheme == "https" or is_near(came.hostname))
        ):
            return came
        return named

    def _prune(self) -> None:
        """Now and then, forget conversations that nobody goes on with, and what is long past."""
        now = self._house.now()
        if now - self._pruned < timedelta(hours=1):
            return
        self._pruned = now
        before = now - 2 * self._house.settings.patience
        self._house.state.run(lambda tx: tx.sync_sessions.prune(before), durable=False)
        self._house.state.run(lambda tx: tx.sync_log.prune(), durable=False)

    def _keep(self, talk: Talk, digest: str, reply: bytes) -> bytes:
        data = talk.encode()
        self._house.state.run(
            lambda tx: tx.sync_sessions.put(
                talk.device, talk.session, talk.user, data, digest, reply
            ),
            durable=talk.stage is Stage.OVER,
        )
        return reply


def _about(message: Message, error: AccordError) -> dict[str, str]:
    """Return what the log says of a message that failed."""
    return {"device": message.header.source.uri, "why": str(error)}


def _limit(most: int, peer: int) -> int:
    """Return how large a message of ours may be, for a peer that claims to take so much."""
    return min(most, max(peer, _LEAST)) if peer else most


def _head(header: Header, most: int = 0, biggest: int = 0) -> Header:
    meta = None
    if most:
        large = biggest if header.version > Version.V1_0 else None
        meta = Meta(max_msg_size=most, max_obj_size=large)
    # A name is for people; one that is longer than theirs would fill the answer.
    name = header.source.name or ""
    return Header(
        version=header.version,
        session_id=header.session_id,
        msg_id=header.msg_id,
        target=Location(header.source.uri, name if 0 < len(name) <= _LONGEST_NAME else None),
        source=Location(header.target.uri),
        meta=meta,
    )


def _brief(header: Header) -> Header:
    """Return a header with names no longer than those that anybody is admitted with."""
    return replace(
        header,
        session_id=header.session_id[:_LONGEST_ID],
        msg_id=header.msg_id[:_LONGEST_ID],
        target=replace(header.target, uri=header.target.uri[:_LONGEST]),
        source=replace(header.source, uri=header.source.uri[:_LONGEST]),
    )


def _is_brief(header: Header) -> bool:
    """Tell whether no name in a header is longer than what every answer can repeat."""
    return _brief(header) == header


def _address(there: SplitResult, key: str) -> str:
    """Return an address with the secret of a conversation in it."""
    query = "&".join(part for part in there.query.split("&") if part and not part.startswith("s="))
    return there._replace(query=f"{query}&s={key}" if query else f"s={key}", fragment="").geturl()


def _proves(talk: Talk, message: Message, admitted: Admitted) -> bool:
    """Tell whether who is in goes on with a conversation that has no secret address."""
    same = talk.user == admitted.user and talk.secret == admitted.secret
    return same and not talk.key and message.header.msg_id != "1"


def _digest(request: Request) -> str:
    """Return what a request is known by when it comes again: who has no signature gets nothing."""
    said = (request.query, request.signature)
    whole = [*(each.encode("utf-8", "replace") for each in said), request.body]
    return hashlib.sha256(b"\0".join(whole)).hexdigest()


def _web(uri: str) -> SplitResult | None:
    """Return an address on the web; None for whatever else a name may be."""
    try:
        found = urlsplit(uri)
    except ValueError:
        return None
    return found if found.scheme in ("http", "https") and found.netloc else None
