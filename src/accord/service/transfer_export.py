"""The configuration as text: what `accord export` writes and `accord import` reads again.

Secrets are never in it; a comment says where one is kept.
"""

from __future__ import annotations

from accord.ports.settings import Setting, SettingType
from accord.rules.render import render_key, render_rules, render_value
from accord.service import registry
from accord.service.accord import Accord
from accord.service.transfer_templates import render_template
from accord.service.transfer_text import DEFAULT_RULES
from accord.state.records import Link, Target

HEADER = "# Accord: targets, links and rules, for `accord import`. Secrets are left out."
MADE = "# Templates make {} more: `accord links` lists them."


def export(accord: Accord) -> str:
    """Return targets, links, templates and the rules in force as text, without secrets.

    Defaults are left out, and so are links that templates make. How far each link goes is always
    said: a text that leaves it out leaves it as it is.
    """
    with accord.state.read() as tx:
        targets, links, templates = tx.targets.all(), tx.links.all(), tx.templates.all()
        given = {one.link for one in tx.given_links.all()}
        active = [tx.rules.active(name) for name in tx.rules.names()]
    names = {target.id: target.name for target in targets}
    blocks = [HEADER, *(_target(target) for target in targets)]
    blocks += [_link(link, names[link.target]) for link in links if link.id not in given]
    blocks += [render_template(one, names[one.target]) for one in templates]
    if given:
        blocks.append(MADE.format("1 link" if len(given) == 1 else f"{len(given)} links"))
    rules = [rule for rule in active if rule is not None]
    if rules:
        blocks.append(render_rules(rules).rstrip("\n"))
    return "\n\n".join(blocks) + "\n"


def _target(target: Target) -> str:
    lines = ["[[target]]", f"name = {render_value(target.name)}"]
    lines.append(f"adapter = {render_value(target.adapter)}")
    tables = []
    for key, value in target.settings.items():
        if isinstance(value, dict):
            tables += ["", f"[target.{render_key(key)}]"]
            tables += [f"{render_key(k)} = {render_value(v)}" for k, v in value.items()]
        elif value is not None:
            lines.append(f"{render_key(key)} = {render_value(value)}")
    lines += [
        f"# {one.name} is kept encrypted; to set it anew: {one.name} = {_anew(target, one)}"
        for one in registry.groupware(target.adapter).SETTINGS
        if one.secret and target.secrets.get(one.name)
    ]
    return "\n".join(lines + tables)


def _anew(target: Target, setting: Setting) -> str:
    """Return how a secret is given by reference; in a table of them, the first one by its name."""
    if setting.type is not SettingType.TABLE:
        return '{ env = "NAME" }'
    return f'{{ {render_key(min(target.secrets[setting.name]))} = {{ env = "NAME" }} }}'


def _link(link: Link, target: str) -> str:
    lines = ["[[link]]"]
    if link.name != f"{link.user}-{link.kind}":
        lines.append(f"name = {render_value(link.name)}")
    lines += [f"user = {render_value(link.user)}", f"kind = {render_value(str(link.kind))}"]
    lines += [f"target = {render_value(target)}", f"principal = {render_value(link.principal)}"]
    if link.folder:
        lines.append(f"folder = {render_value(link.folder)}")
    if link.rule != DEFAULT_RULES.get(link.kind):
        lines.append(f"rule = {render_value(link.rule)}")
    lines.append(f"mode = {render_value(str(link.mode))}")
    return "\n".join(lines)
