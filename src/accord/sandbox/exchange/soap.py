"""The envelope: read requests out of it, put answers and faults into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from accord.sandbox.exchange import schema
from accord.sandbox.exchange.errors import SoapFault
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.xml import ERRORS, SOAP, SPACES, Node, local, parse, t

VERSION = {
    "MajorVersion": "15",
    "MinorVersion": "2",
    "MajorBuildNumber": "1544",
    "MinorBuildNumber": "11",
    "Version": "V2017_07_11",
}
"""What the server says of itself: Exchange 2019, whose schema is Subscription Edition's."""


@dataclass(slots=True)
class Request:
    """A request out of its envelope, with the headers of the types namespace by their names."""

    body: Node
    headers: Mapping[str, Node]


def read(text: bytes) -> Request:
    """Open an envelope and judge what is inside. Raises SoapFault."""
    try:
        root = parse(text)
    except etree.XMLSyntaxError as error:
        raise SoapFault("ErrorInvalidRequest", f"The request is no XML: {error.msg}") from None
    body = root.find(f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or body is None or not len(body):
        raise SoapFault("ErrorInvalidRequest", "The request is no SOAP 1.1 envelope.")
    header = root.find(f"{{{SOAP}}}Header")
    headers = {local(each): each for each in (header if header is not None else ())}
    known = schema.table().elements
    try:
        for each in headers.values():
            if str(each.tag) in known:
                schema.check(each)
        if str(body[0].tag) in known:
            schema.check(body[0])
    except schema.SchemaViolation as violation:
        raise SoapFault(
            "ErrorSchemaValidation",
            f"The request failed schema validation: {violation}",
            violation=(violation.line, str(violation)),
        ) from None
    return Request(body[0], headers)


def write(answer: Node) -> bytes:
    """Put an answer into its envelope."""
    envelope = _envelope()
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    header.append(t("ServerVersionInfo", **VERSION))
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(answer)
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def write_push(notification: Node) -> bytes:
    """Put what is sent to a listener into its envelope."""
    envelope = _envelope()
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    header.append(t("RequestServerVersion", Version="Exchange2016"))
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(notification)
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def write_part(answer: Node) -> bytes:
    """Put one of many answers into an envelope that others follow in the same text."""
    text = write(answer)
    return text.partition(b"?>")[2].lstrip()


def write_fault(fault: SoapFault) -> bytes:
    """Put a fault into its envelope, laid out as Exchange does."""
    envelope = _envelope()
    holder = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
    code = etree.SubElement(holder, "faultcode", nsmap={"a": TYPES})
    code.text = f"a:{fault.code}"
    said = etree.SubElement(holder, "faultstring")
    said.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    said.text = fault.text
    detail = etree.SubElement(holder, "detail")
    etree.SubElement(detail, f"{{{ERRORS}}}ResponseCode", nsmap={"e": ERRORS}).text = fault.code
    message = etree.SubElement(detail, f"{{{ERRORS}}}Message", nsmap={"e": ERRORS})
    message.text = fault.text.partition(": ")[0] + ("." if fault.violation else "")
    if fault.violation:
        line, text = fault.violation
        detail.append(
            t(
                "MessageXml",
                t("LineNumber", str(line)),
                t("LinePosition", "1"),
                t("Violation", text),
            )
        )
    elif fault.details:
        values = [t("Value", value, Name=name) for name, value in fault.details.items()]
        detail.append(t("MessageXml", *values))
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def _envelope() -> Node:
    return etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, **SPACES})
