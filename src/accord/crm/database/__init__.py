"""The built-in CRM: users, rights, accounts, contacts, appointments, tasks, absences in SQL.

`build` opens it from settings, `Administration` keeps its users and records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from accord.crm.database.adapter import DatabaseCrm
from accord.crm.database.settings import SETTINGS
from accord.crm.database.traits import TRAITS
from accord.db import open_database
from accord.ports.errors import ConfigError
from accord.ports.settings import read

__all__ = ["SETTINGS", "TRAITS", "DatabaseCrm", "build"]


def build(settings: Mapping[str, Any]) -> DatabaseCrm:
    """Open the CRM; raises ConfigError for a setting that isn't right."""
    given = read(SETTINGS, settings, "database")
    url = given["url"]
    if given["password"]:
        try:
            parsed = make_url(url).set(password=given["password"])
        except ArgumentError as error:
            raise ConfigError(
                "the database's address isn't one", field="url", hint=SETTINGS[0].help
            ) from error
        url = parsed.render_as_string(hide_password=False)
    page = int(given["page"])
    if page < 1:
        raise ConfigError("a page holds at least one record", field="page")
    return DatabaseCrm(open_database(url), owned=bool(given["owned_tasks"]), page=page)
