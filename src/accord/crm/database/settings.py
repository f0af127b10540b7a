"""The settings of the built-in CRM, declared once; `build` reads them."""

from __future__ import annotations

from accord.ports.settings import Setting, SettingType

SETTINGS = (
    Setting(
        name="url",
        label="Database",
        required=True,
        help="sqlite:///file, or postgresql://user@host/name with the password beside it",
    ),
    Setting(
        name="password",
        label="Password of the database",
        type=SettingType.SECRET,
        secret=True,
        help="left empty, the one in the address or the server's own rules count",
    ),
    Setting(
        name="owned_tasks",
        label="Owners follow tasks that others do",
        type=SettingType.FLAG,
        default=False,
        help="puts a task into its owner's scope also while somebody else is its assignee",
    ),
    Setting(
        name="page",
        label="Records on a page",
        type=SettingType.NUMBER,
        default=500,
        advanced=True,
    ),
)
