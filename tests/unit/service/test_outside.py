"""A CRM adapter from outside: found, given its settings, refused with a way out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.ports.errors import ConfigError
from accord.service import outside

ADAPTER = """
from accord.ports.settings import Setting, SettingType, read
from accord.crm import memory

SETTINGS = (
    Setting(name="instance", label="Instance", default="crm"),
    Setting(name="page", label="Items on a page", type=SettingType.NUMBER, default=7),
    Setting(name="cold", label="Cold", type=SettingType.FLAG, default=False),
)


def build(settings):
    given = read(SETTINGS, settings, "test")
    assert given["cold"] is True
    return memory.build({"instance": given["instance"], "page": given["page"]})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with modules of its own, which are forgotten afterwards."""
    paths, modules = list(sys.path), set(sys.modules)
    (tmp_path / "crm_of_test.py").write_text(ADAPTER, encoding="utf-8")
    (tmp_path / "nothing_of_test.py").write_text("SETTINGS = ()", encoding="utf-8")
    yield tmp_path
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if name.endswith("of_test"):
            del sys.modules[name]


def test_a_module_beside_the_configuration_is_built_with_its_settings(folder: Path) -> None:
    crm = outside.build("crm_of_test?instance=north&page=12&cold=true", folder)
    assert (crm.instance, crm.traits.page) == ("north", 12)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("no_such_of_test", "can't be loaded"),
        ("..", "can't be loaded"),
        ("nothing_of_test", "no build"),
        ("crm_of_test?instance=x&colour=red", "no setting 'colour'"),
        ("crm_of_test?page=many", "must be a number"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, address: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        outside.build(address, folder)
    assert caught.value.hint or "page" in address
