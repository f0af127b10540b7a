"""Where devices come from: configured by the client itself once, then copied for each buyer.

Configuring one takes as long as a sync. What differs between two copies is text in its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.interop.client import FORMATS, Device, Kit

LEGACY = {
    "addressbook": "text/x-vcard",
    "calendar": "text/x-vcalendar",
    "todo": "text/x-vcalendar",
}
_URL, _USER, _PASSWORD = "http://model.invalid/sync", "user-of-the-model", "word-of-the-model"


class Shop:
    """Hand out devices, each in a folder of its own; models stay in `folder`."""

    def __init__(self, folder: Path, kit: Kit) -> None:
        self._folder, self._kit = folder, kit
        self._models: dict[tuple[tuple[str, str], ...], Device] = {}

    def device(
        self,
        folder: Path,
        *,
        url: str,
        user: str,
        password: str,
        device_id: str = "",
        legacy: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> Device:
        """Return a new device in a folder, known by `device_id` where it synchronizes.

        `properties` are the client's own, in its words (`enableWBXML="1"`); a name with a slash
        belongs to a store. `legacy` makes it speak the old formats only.
        """
        wanted = {**(_legacy() if legacy else {}), **(properties or {})}
        model = self._model(wanted)
        words = {
            str(model.folder): str(folder),
            f"dev-{model.name}": device_id or f"dev-{folder.name}",
            _URL: url,
            _USER: user,
            _PASSWORD: password,
        }
        _copy(model.folder / "config", folder / "config", words)
        return Device(folder, self._kit)

    def _model(self, properties: Mapping[str, str]) -> Device:
        name = tuple(sorted(properties.items()))
        if name in self._models:
            return self._models[name]
        if properties:
            self._model({})
        folder = self._folder / f"{len(self._models)}-model"
        if properties:
            made = self.device(folder, url=_URL, user=_USER, password=_PASSWORD)
            made.configure(**properties)
        else:
            made = Device(folder, self._kit)
            made.set_up(_URL, _USER, _PASSWORD)
        self._models[name] = made
        return made


def _legacy() -> dict[str, str]:
    formats = {f"{store}/syncFormat": LEGACY[store] for store in FORMATS}
    return formats | {f"{store}/forceSyncFormat": "1" for store in FORMATS}


def _copy(source: Path, target: Path, words: Mapping[str, str]) -> None:
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        for old, new in words.items():
            text = text.replace(old, new)
        copy.write_text(text, encoding="utf-8")
