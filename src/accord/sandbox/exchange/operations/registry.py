"""Which operation a request's name stands for."""

from __future__ import annotations

from collections.abc import Callable

from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.operations import (
    attaching,
    availability,
    finding,
    folders,
    items,
    notifying,
    persons,
    sync,
)
from accord.sandbox.exchange.xml import Node

OPERATIONS: dict[str, Callable[[Call, Node], Node]] = {
    "CreateAttachment": attaching.create_attachment,
    "DeleteAttachment": attaching.delete_attachment,
    "GetAttachment": attaching.get_attachment,
    "ConvertId": persons.convert_id,
    "CopyItem": items.copy_item,
    "CreateFolder": folders.create_folder,
    "CreateItem": items.create_item,
    "DeleteFolder": folders.delete_folder,
    "DeleteItem": items.delete_item,
    "FindFolder": folders.find_folder,
    "FindItem": finding.find_item,
    "GetEvents": notifying.get_events,
    "GetFolder": folders.get_folder,
    "GetItem": items.get_item,
    "GetServerTimeZones": availability.get_server_time_zones,
    "GetUserAvailabilityRequest": availability.get_user_availability,
    "GetUserConfiguration": persons.get_user_configuration,
    "GetUserOofSettingsRequest": persons.get_user_oof_settings,
    "MoveItem": items.move_item,
    "ResolveNames": persons.resolve_names,
    "SendItem": items.send_item,
    "SetUserOofSettingsRequest": persons.set_user_oof_settings,
    "Subscribe": notifying.subscribe,
    "SyncFolderHierarchy": folders.sync_folder_hierarchy,
    "SyncFolderItems": sync.sync_folder_items,
    "Unsubscribe": notifying.unsubscribe,
    "UpdateFolder": folders.update_folder,
    "UpdateItem": items.update_item,
}
