"""The settings of the CRM in memory, declared once; `build` reads them."""

from __future__ import annotations

from accord.ports.settings import Setting, SettingType

SETTINGS = (
    Setting(
        name="instance",
        label="Instance",
        default="crm",
        help="the lasting id of this CRM; another one means another CRM",
    ),
    Setting(
        name="users",
        label="Users",
        type=SettingType.TABLE,
        default={},
        help="user names and their e-mail addresses, separated by spaces",
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
    Setting(name="restores", label="Restores records", type=SettingType.FLAG, default=True),
    Setting(name="page", label="Records on a page", type=SettingType.NUMBER, default=200),
    Setting(name="batch", label="Records in a write", type=SettingType.NUMBER, default=50),
)
