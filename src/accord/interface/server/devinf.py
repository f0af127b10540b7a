"""Device information: what we say of ourselves, and what a device's own says about an item.

Our first type of each store decides what devices send (Rx-Pref).
"""

from __future__ import annotations

from accord import __version__
from accord.formats.errors import Refused
from accord.formats.syncml.devinf import ContentType, DevInf
from accord.formats.syncml.devinf import Store as Described
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version
from accord.formats.types import Format
from accord.interface.server.stores import Store, offered
from accord.model.traits import Traits

DEVICE_ID = "accord"
_LIBSYNTHESIS = "Synthesis AG"
_BORNE = (
    StatusCode.NOT_FOUND,
    StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT,
    StatusCode.ALREADY_EXISTS,
    StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA,
    StatusCode.DEVICE_FULL,
    StatusCode.SIZE_MISMATCH,
    StatusCode.COMMAND_FAILED,
    StatusCode.PROCESSING_ERROR,
    StatusCode.DATA_STORE_FAILURE,
)
NAMES = tuple(version.devinf for version in Version)


def own(version: Version, traits: Traits) -> DevInf:
    """Return what we are and can."""
    return DevInf(
        version=version,
        device_id=DEVICE_ID,
        device_type="server",
        manufacturer="Accord",
        model="CRM.interface",
        software=__version__,
        hardware="-",
        firmware=__version__,
        utc=version > Version.V1_0,
        large_objects=version > Version.V1_0,
        number_of_changes=version > Version.V1_0,
        stores=tuple(map(_store, offered(traits))),
    )


def _store(store: Store) -> Described:
    first, *others = (ContentType(each.type, each.version) for each in store.types)
    return Described(
        source_ref=f"./{store.name}",
        display_name=store.title,
        max_guid_size=64,
        rx_pref=first,
        rx=tuple(others),
        tx_pref=first,
        tx=tuple(others),
        sync_types=(1, 2, 3, 4, 5, 6, 7),
    )


def described(devinf: DevInf | None, uri: str) -> Described | None:
    """Return what a device says of its own store at an address."""
    if devinf is None:
        return None
    name = _bare(uri)
    for store in devinf.stores:
        if _bare(store.source_ref) == name:
            return store
    # Some name their stores otherwise here than in alerts; one store can't be mistaken.
    return devinf.stores[0] if len(devinf.stores) == 1 else None


def choose(store: Store, device: Described | None) -> Format:
    """Return the type to send to a device: the one it likes best of those that it takes.

    Raises Refused where it takes nothing that we can write.
    """
    if device is None:
        return store.types[0]
    wanted = [device.rx_pref] if device.rx_pref else []
    wanted += [each for each in device.rx if each != device.rx_pref]
    if not wanted:
        return store.types[0]
    for each in wanted:
        for ours in store.types:
            if ours.type == each.type.strip().lower() and each.version in (None, "", ours.version):
                return ours
    raise Refused(f"the device takes none of the types of {store.name}")


def kept_properties(devinf: DevInf | None, uri: str, used: Format) -> frozenset[str]:
    """Return the properties that a device keeps of a type; empty where it doesn't say.

    What isn't among them comes back empty from the device although nobody took it away.
    """
    if devinf is None:
        return frozenset()
    store = described(devinf, uri)
    inside = store.capabilities if store is not None else ()
    for one in (*inside, *devinf.capabilities):
        if one.type.strip().lower() == used.type and one.version in (None, "", used.version):
            names = {prop.name.upper() for prop in one.properties}
            begun = {v.upper() for p in one.properties if p.name == "BEGIN" for v in p.values}
            return frozenset(names | begun)
    return frozenset()


def bearable(devinf: DevInf | None, code: StatusCode) -> StatusCode:
    """Return with which status a device that gets `code` for an item goes on with the others.

    libsynthesis (3.4, measured with SyncEvolution 2.0) ends the sync at all but a few, and each
    later one, too, as long as it has the item. At 500 it tells its user, goes on, and sends the
    item again next time.
    """
    if devinf is None or devinf.oem != _LIBSYNTHESIS or code < StatusCode.BAD_REQUEST:
        return code
    return code if code in _BORNE else StatusCode.COMMAND_FAILED


def denied(devinf: DevInf | None) -> StatusCode:
    """Return the status for a change that may not be, where the device gets back what there is.

    libsynthesis bears 419, and then takes that.
    """
    code = StatusCode.FORBIDDEN
    borne = bearable(devinf, code) is code
    return code if borne else StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA


def _bare(uri: str) -> str:
    return uri.partition("?")[0].strip("./ ").casefold()
