"""The settings reference, `docs/settings.md`, made of what each adapter declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module

from accord.ports.settings import Setting, SettingType
from accord.service import registry
from accord.service.init import written
from accord.service.jobs.catalogue import JOBS
from accord.service.secret_refs import FORMS

_INTRODUCTION = f"""\
# Settings

<!-- Made by `make docs`; edit the code, not this page. -->

`accord.toml` holds what is needed to start. All else (targets, links, rules) lives in the database
and gets there by `accord import`. Settings marked *secret* are given as a reference,
{FORMS.replace("{", "`{").replace("}", "}`")},
and kept encrypted; no output and no export shows them. One that the text leaves out stays as it is,
in a table each name by itself; `false` takes it away.
"""
CONNECTOR = registry.CRM["interface+https"]
_TYPES = {
    SettingType.TEXT: "text",
    SettingType.URL: "address",
    SettingType.SECRET: "text",
    SettingType.FLAG: "`true` or `false`",
    SettingType.NUMBER: "number",
    SettingType.FILE: "path of a file",
    SettingType.DATE: 'date, such as `"2027-05-01"`',
    SettingType.TABLE: "table of texts",
}


def render() -> str:
    """Return the whole reference as Markdown."""
    parts = [_INTRODUCTION, "## accord.toml\n", "What `accord init` writes:\n", _start(), ""]
    parts += _adapters("Targets", "target", "the adapter of a `[[target]]`", registry.GROUPWARE)
    parts += _adapters("CRMs", "CRM", 'the part before the colon of `crm = "…:"`', registry.CRM)
    parts += _jobs()
    return "\n".join(parts).rstrip() + "\n"


def _jobs() -> Iterator[str]:
    yield "## Jobs\n"
    yield "`accord jobs set NAME OPTION=VALUE` sets one ([jobs](operations.md#jobs)).\n"
    for job in JOBS.values():
        if job.options:
            yield f"### job `{job.name}`\n"
            yield f"{job.title[0].upper()}{job.title[1:]}.\n"
            yield _table(job.options)


def _start() -> str:
    return f"```toml accord.toml\n{written()}```"


def _adapters(title: str, what: str, where: str, known: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"The name is {where}.\n"
    for package in dict.fromkeys(known.values()):
        module = import_module(package)
        names = ", ".join(f"`{name}`" for name in known if known[name] == package)
        yield f"### {what} {names}\n"
        yield (module.__doc__ or "").strip().splitlines()[0] + "\n"
        yield _table(module.SETTINGS)
        if package == CONNECTOR:
            yield "They stand in the table `[connector]` of `accord.toml`, all but the address.\n"


def _table(settings: tuple[Setting, ...]) -> str:
    lines = ["| setting | value | default | meaning |", "| --- | --- | --- | --- |"]
    for each in sorted(settings, key=lambda one: one.advanced):
        meaning = f"{each.label}: {each.help}" if each.help else each.label
        notes = [
            word for word, on in (("secret", each.secret), ("rarely needed", each.advanced)) if on
        ]
        if notes:
            meaning += f" (*{', '.join(notes)}*)"
        cells = (f"`{each.name}`", _value(each), _default(each), _marked(meaning))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _value(setting: Setting) -> str:
    if setting.choices:
        return " ".join(f"`{each}`" for each in setting.choices)
    return _TYPES[setting.type]


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    if setting.default in (None, ""):
        return "none"
    if isinstance(setting.default, bool):
        return f"`{str(setting.default).lower()}`"
    return f"`{setting.default}`"


def _marked(text: str) -> str:
    """Mark addresses and placeholders as code, so that Markdown leaves them alone."""
    return re.sub(
        r"(https?://[^\s,;]*[\w/]|sqlite:///\w+|\w+://\w+@\w+/\w+|\*\.[\w.]+|/\S*\{\w+\}/|\{\w+\})",
        r"`\1`",
        text,
    )
