"""docs/conversation.md is a conversation: what it says a device sends gets the answers it shows.

That the page is up to date is checked with the other generated ones; here it is spoken as printed.
"""

from __future__ import annotations

import re

from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.interface.server.server import Request
from tests.unit.interface.phone import header_status
from tools.docs.conversation import STEPS, pretty, stage
from tools.docs.pages import ROOT, blocks

PAGE = (ROOT / "docs" / "conversation.md").read_text(encoding="utf-8")
MESSAGES = [block.text.rstrip("\n") for block in blocks(PAGE) if block.kind == "xml"]
PATHS = re.findall(r"^POST (\S+)$", PAGE, re.MULTILINE)


def test_what_the_page_says_a_device_sends_gets_the_answers_that_it_shows() -> None:
    questions, answers = MESSAGES[::2], MESSAGES[1::2]
    assert len(questions) == len(answers) == len(PATHS) == len(STEPS)
    with stage() as world:
        for path, question, shown in zip(PATHS, questions, answers, strict=True):
            body = question.encode()
            query = path.partition("?")[2]
            request = Request(
                body=body, content_type=Media.XML.value, query=query, peer="192.0.2.7"
            )
            answer = world.server.answer(request)
            assert answer.status == 200
            assert pretty(answer.body) == shown
        assert world.names() == ["Ada Lovelace", "Grace Hopper"]
        with world.state.read() as tx:
            (sync,) = tx.sync_log.query()
        assert (sync.mode, sync.end) == ("slow", "done")
        assert sync.counts == {"added": 1, "sent-added": 1}


def test_the_page_says_of_each_message_what_is_in_it() -> None:
    replies = [Media.XML.decode(text.encode()) for text in MESSAGES[1::2]]
    assert [header_status(reply).code for reply in replies] == [401, 212, 200, 200]
    sent = [Media.XML.decode(text.encode()) for text in MESSAGES[::2]]
    kinds = [{type(command) for command in message.body} for message in sent]
    assert kinds[:2] == [{m.Put, m.Get, m.Alert}] * 2
    assert kinds[2:] == [{m.Status, m.Sync}, {m.Status, m.Map}]
