"""The settings of the memory adapter, declared once; `build` reads them.

They shape the traits, so that any kind of server can be imitated.
"""

from __future__ import annotations

from accord.ports.settings import Setting, SettingType

SETTINGS = (
    Setting(
        name="instance",
        label="Instance",
        default="memory",
        help="the lasting id of this store; another one means another server",
    ),
    Setting(
        name="principals",
        label="Mailboxes",
        type=SettingType.TABLE,
        default={},
        help="addresses and names of the people; left empty, every address is welcome",
    ),
    Setting(
        name="title_limit",
        label="Longest title",
        type=SettingType.NUMBER,
        help="titles are cut after so many characters",
    ),
    Setting(
        name="omitted",
        label="Fields it can't store",
        default="",
        help="kind.field, separated by spaces: event.url task.priority",
    ),
    Setting(name="seconds", label="Keeps seconds", type=SettingType.FLAG, default=True),
    Setting(
        name="schedules",
        label="Mails attendees by itself",
        type=SettingType.FLAG,
        default=False,
        help="as RFC 6638 servers do when an organizer's copy is written",
    ),
    Setting(
        name="foreign_organizer",
        label="Stores copies of other organizers",
        type=SettingType.FLAG,
        default=True,
    ),
    Setting(name="trash", label="Has Deleted Items", type=SettingType.FLAG, default=True),
    Setting(
        name="restores",
        label="Brings items back under their own id",
        type=SettingType.FLAG,
        default=False,
    ),
    Setting(name="uid_kept", label="Keeps given uids", type=SettingType.FLAG, default=True),
    Setting(name="adopt", label="Another connector's mark"),
    Setting(name="page", label="Items on a page", type=SettingType.NUMBER, default=200),
    Setting(name="batch", label="Items in a write", type=SettingType.NUMBER, default=50),
)
