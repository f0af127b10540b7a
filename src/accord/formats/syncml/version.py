"""The versions of SyncML, and which elements came with which.

OMA-TS-SyncML-RepPro-V1_2_2, appendix "Change history"; the DTDs of 1.0.1, 1.1 and 1.2.
"""

from __future__ import annotations

from enum import StrEnum

from accord.formats.syncml.errors import Malformed


class Version(StrEnum):
    """Be a version of SyncML, as VerDTD spells it."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"

    @property
    def protocol(self) -> str:
        """Return what VerProto says."""
        return f"SyncML/{self}"

    @property
    def namespace(self) -> str:
        """Return the XML name space of the root."""
        return f"SYNCML:SYNCML{self}"

    @property
    def devinf(self) -> str:
        """Return the address of the device information."""
        return f"./devinf{self[0]}{self[2]}"


SINCE = {
    name: version
    for version, names in {
        Version.V1_1: "MaxObjSize MoreData NumberOfChanges SupportLargeObjs"
        " SupportNumberOfChanges UTC",
        Version.V1_2: "Correlator FieldLevel Filter Filter-Rx FilterCap MaxOccur Move NoTruncate"
        " SourceParent SupportHierarchicalSync TargetParent",
    }.items()
    for name in names.split()
}
"""The elements that not every version has."""


def check_known(name: str, version: Version) -> None:
    """Raise Malformed where a version doesn't have an element: its peers would lose it."""
    if version < SINCE.get(name, version):
        raise Malformed(f"isn't known to SyncML {version}", prop=name)
