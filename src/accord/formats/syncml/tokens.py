"""The numbers that WBXML has for SyncML: elements, documents, and the signs between them.

WAP-192-WBXML-20010725; OMA-TS-SyncML-RepPro-V1_2_2 section 9, MetaInfo and DevInf likewise.
"""

from __future__ import annotations

from accord.formats.syncml.node import DEVINF, METINF
from accord.formats.syncml.version import Version

SWITCH_PAGE, END, ENTITY, STR_I, LITERAL, STR_T, OPAQUE = 0x00, 0x01, 0x02, 0x03, 0x04, 0x83, 0xC3
CONTENT, ATTRIBUTES = 0x40, 0x80
RESERVED = frozenset({0x43, *range(0x40, 0x43), *range(0x80, 0x84), *range(0xC0, 0xC4)})
UTF_8, US_ASCII = 106, 3
WBXML_1_2 = 0x02

_SYNCML = (
    "Add Alert Archive Atomic Chal Cmd CmdID CmdRef Copy Cred Data Delete Exec Final Get Item Lang"
    " LocName LocURI Map MapItem Meta MsgID MsgRef NoResp NoResults Put Replace RespURI Results"
    " Search Sequence SessionID SftDel Source SourceRef Status Sync SyncBody SyncHdr SyncML Target"
    " TargetRef - VerDTD VerProto NumberOfChanges MoreData Field Filter Record FilterType"
    " SourceParent TargetParent Move Correlator"
)
_METINF = (
    "Anchor EMI Format FreeID FreeMem Last Mark MaxMsgSize Mem MetInf Next NextNonce SharedMem"
    " Size Type Version MaxObjSize FieldLevel"
)
_DEVINF = (  # 0x1C is Size in 1.0 and 1.1
    "CTCap CTType DataStore DataType DevID DevInf DevTyp DisplayName DSMem Ext FwV HwV Man"
    " MaxGUIDSize MaxID MaxMem Mod OEM ParamName PropName Rx Rx-Pref SharedMem MaxSize SourceRef"
    " SwV SyncCap SyncType Tx Tx-Pref ValEnum VerCT VerDTD XNam XVal UTC SupportNumberOfChanges"
    " SupportLargeObjs Property PropParam MaxOccur NoTruncate - Filter-Rx FilterCap FilterKeyword"
    " FieldLevel SupportHierarchicalSync"
)


def _numbered(names: str) -> dict[int, str]:
    return {number: name for number, name in enumerate(names.split(), 5) if name != "-"}


SYNCML_PAGES: dict[int, tuple[str, dict[int, str]]] = {
    0: ("", _numbered(_SYNCML)),
    1: (METINF, _numbered(_METINF)),
}
"""The code pages of a message: name space, and names by number."""

DEVINF_PAGES: dict[int, tuple[str, dict[int, str]]] = {0: (DEVINF, _numbered(_DEVINF))}
"""The code pages of device information, a document of its own inside of a message."""

TAGS: dict[tuple[str, str], tuple[int, int]] = {
    (space, name): (page, number)
    for page, (space, names) in (*SYNCML_PAGES.items(), (0, DEVINF_PAGES[0]))
    for number, name in names.items()
} | {(DEVINF, "Size"): (0, 0x1C)}
"""Code page and number by name space and name."""

SYNCML_IDS = {Version.V1_0: 0x0FD1, Version.V1_1: 0x0FD3, Version.V1_2: 0x1201}
DEVINF_IDS = {Version.V1_0: 0x0FD2, Version.V1_1: 0x0FD4, Version.V1_2: 0x1203}
"""The registered numbers of the public identifiers."""

DEVINF_NAMES = tuple(f"-//SYNCML//DTD DevInf {version}//EN".encode() for version in Version)
"""The same as text."""
