"""Checks of an import that ask adapters: settings, kinds, passwords, rules beside both traits.

Only what the import touches is asked about, so that a small import costs little.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.model.kinds import Side
from accord.model.traits import Traits
from accord.ports.adapter import Adapter
from accord.ports.errors import AccordError, ConfigError
from accord.ports.tls import READABLE, UNCHECKED, is_readable, is_unchecked, require_tls
from accord.rules.check import check
from accord.rules.defaults import kind_on
from accord.rules.problem import Problem, Severity
from accord.rules.rule import Rule
from accord.service.accord import Accord
from accord.service.opening import find_folder, former_folder
from accord.service.transfer_diff import Standing, Wanted
from accord.service.transfer_templates import check_kinds
from accord.service.transfer_text import Reading
from accord.state.records import Link, Target

_LASTING = ("user", "kind", "target", "principal", "folder")


def check_import(accord: Accord, reading: Reading, wanted: Wanted, standing: Standing) -> None:
    """Note what is wrong with what a text asks for, as far as adapters can tell."""
    with _Built(accord, reading, wanted, standing) as built:
        for name in wanted.targets:
            _check_target(reading, name, built, standing)
        if reading.failed:
            return
        for name, link in wanted.links.items():
            _check_link(accord, reading, name, link, built, standing)
        check_kinds(reading, wanted.templates, built.adapter)
        reading.problems += _check_rules(accord, reading, wanted, standing, built)


class _Built:
    """Build adapters of targets as they would be after the import, each once."""

    def __init__(
        self, accord: Accord, reading: Reading, wanted: Wanted, standing: Standing
    ) -> None:
        self._accord = accord
        self._adapters: dict[str, Adapter] = {}
        targets = {**standing.targets, **wanted.targets}
        self.targets = {target.id: target for target in targets.values()}

    def __enter__(self) -> _Built:
        return self

    def __exit__(self, *_: object) -> None:
        for adapter in self._adapters.values():
            adapter.close()

    def adapter(self, target: str) -> Adapter:
        if target not in self._adapters:
            self._adapters[target] = self._accord.build(self.targets[target])
        return self._adapters[target]

    def traits(self, target: str) -> Traits | None:
        try:
            return self.adapter(target).traits
        except AccordError:
            return None


def _check_target(reading: Reading, name: str, built: _Built, standing: Standing) -> None:
    target, place = reading.targets[name]
    stored = standing.targets.get(name)
    if stored and stored.adapter != target.adapter and _used(stored, standing):
        hint = "give the new target a name of its own"
        message = f"the target {name!r} is a {stored.adapter} with links on it"
        reading.wrong((*place, "adapter"), message, hint=hint)
        return
    try:
        built.adapter(target.id)
        require_tls(target.settings, f"target {name}")
    except ConfigError as error:
        where = (*place, error.field) if error.field else place
        reading.wrong(where, str(error), hint=error.hint)
        return
    if is_readable(target.settings):
        where, more = (*place, "url"), {"severity": Severity.WARNING, "hint": "write https://…"}
        reading.problems.append(reading.source.problem(where, READABLE, **more))
    if is_unchecked(target.settings):
        hint = "set verify = true, and ca_file if the server has an authority of its own"
        where, more = (*place, "verify"), {"severity": Severity.WARNING, "hint": hint}
        reading.problems.append(reading.source.problem(where, UNCHECKED, **more))


def _used(target: Target, standing: Standing) -> bool:
    return any(link.target == target.id for link in standing.links.values())


def _check_link(
    accord: Accord, reading: Reading, name: str, link: Link, built: _Built, standing: Standing
) -> None:
    place = reading.links[name][1]
    stored = standing.links.get(name)
    if stored is not None and name in standing.paired:
        for key in _LASTING:
            if getattr(stored, key) == getattr(link, key):
                continue
            if key != "folder" or not _is_former(accord, link, built):
                message = (
                    f"the link {name!r} has synchronized {stored.kind}s of {stored.principal}; "
                    f"its {key} can't change"
                )
                reading.wrong((*place, key), message, hint="add another link with name = …")
    traits = built.traits(link.target)
    kind = kind_on(link.kind, Side.GROUPWARE)
    if traits is not None and kind not in traits.kinds:
        carried = ", ".join(sorted(str(each) for each in traits.kinds))
        key = "kind" if "kind" in reading.source.data["link"][place[1]] else "kinds"
        message = f"the target {built.targets[link.target].name} carries no {kind}s"
        reading.wrong((*place, key), message, hint=f"it carries: {carried}")
    try:
        built.adapter(link.target).open(link.principal).close()
    except ConfigError as error:
        reading.wrong(place, str(error), hint=error.hint)
    except AccordError:
        pass  # whether the server answers is a matter of `accord check`


def _is_former(accord: Accord, link: Link, built: _Built) -> bool:
    """Tell whether a link names the folder that it began with: so it stays there.

    That alone asks a server; False where it doesn't answer.
    """
    try:
        with built.adapter(link.target).open(link.principal) as session:
            return find_folder(accord, session, link) == former_folder(accord, link)
    except AccordError:
        return False


def _check_rules(
    accord: Accord, reading: Reading, wanted: Wanted, standing: Standing, built: _Built
) -> Iterator[Problem]:
    """Check rules beside the traits of every pair of sides they would work between."""
    links = {**standing.links, **wanted.links}.values()
    records = accord.crm.traits
    for rule in {**standing.rules, **wanted.rules}.values():
        fresh = rule.name in wanted.rules
        used = [link for link in links if link.rule == rule.name]
        touched = [link for link in used if fresh or link.name in wanted.links]
        source = reading.source if _written(reading, rule) else None
        yield from _misfits(reading, rule, used)
        given = {t.target for t in wanted.templates.values() if rule.name in t.rules.values()}
        for target in sorted({link.target for link in touched} | given):
            yield from check(rule, records, built.traits(target), source)
        if fresh and not used and not given:
            yield from check(rule, records, None, source)


def _misfits(reading: Reading, rule: Rule, used: list[Link]) -> Iterator[Problem]:
    """Refuse another kind for a rule that links use already."""
    for number, table in enumerate(reading.source.data.get("rule", [])):
        strangers = [link.name for link in used if link.kind is not rule.kind]
        if table.get("name") == rule.name and strangers:
            message = f"the rule {rule.name!r} has links for other kinds: {', '.join(strangers)}"
            hint = "give the new rule a name of its own"
            yield reading.source.problem(("rule", number, "kind"), message, hint=hint)


def _written(reading: Reading, rule: Rule) -> bool:
    tables = reading.source.data.get("rule", [])
    return any(table.get("name") == rule.name for table in tables)
