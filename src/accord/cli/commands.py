"""The commands by name, and where each lives; nothing is loaded here."""

from __future__ import annotations

HELP = """\
Keep a CRM and people's mailboxes in agreement.

Begin with `accord init`, then `accord import FILE`, `accord check`, `accord plan`
and `accord sync`. Every command knows `--json`.
"""

COMMANDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Set up": (
        ("init", "setup:init", "Write a commented accord.toml, the key file and the database."),
        ("import", "transfer:import_", "Bring targets, links and rules of a file into Accord."),
        ("export", "transfer:export", "Print targets, links and rules, without secrets."),
        ("check", "check:check", "Test every connection; say what is wrong and how to mend it."),
        ("key", "key:key", "Renew the key that encrypts secrets and private entries."),
        ("templates", "templates:templates", "Give links to all members of a CRM group."),
        ("preferences", "preferences:preferences", "Show and note what a person prefers."),
        ("backup", "safety:backup", "Back up Accord's own database."),
        ("restore", "safety:restore", "Put a backup back, without those erased since."),
        ("erase", "safety:erase", "Erase a person from copies, journal and backups."),
        ("rules", "rules:rules", "List, show and explain rules; put a changed one into force."),
    ),
    "Work": (
        ("plan", "plan:plan", "Show what a synchronization would do, and write nothing."),
        ("sync", "sync:sync", "Synchronize links."),
        ("run", "service:run", "Synchronize whenever something changes, until stopped."),
        (
            "status",
            "status:status",
            "Say how service, queue, links and targets are, and what to do.",
        ),
        ("queue", "queue:queue", "Show what waits to be visited; revive what was buried."),
        ("jobs", "jobs:jobs", "List the service's jobs; switch, schedule or run one."),
        ("undo", "undo:undo", "Undo a step, an item, a user or a run, on both sides."),
        ("pause", "links:pause", "Stop all writes of a link, or of all."),
        ("resume", "links:resume", "Let a link, or all, write again."),
        ("mode", "links:mode", "Say how far a link goes: observe, pilot or active."),
        ("withdraw", "links:withdraw", "Take a link's copies and markers away, and the link."),
    ),
    "Decide": (
        ("held", "decide:held", "List what waits for approval; approve or reject it."),
        ("conflicts", "decide:conflicts", "List open conflicts; resolve one."),
    ),
    "Look": (
        ("explain", "look:explain", "Say why an item did or did not synchronize."),
        ("digest", "digest:digest", "Show which edits were lost, put back or refused."),
        ("journal", "look:journal", "List what was done, newest first."),
        ("busy", "busy:busy", "Show when colleagues are taken, and when they are free together."),
        ("mail", "mail:mail", "Look at a person's e-mails on a mail server; nothing is sent."),
        ("links", "links:links", "List links and how they stand; remove some."),
        ("targets", "targets:targets", "List targets; remove one without links."),
        ("schema", "look:schema", "Print the JSON schema of items."),
    ),
    "CRM": (
        ("crm", "crm:crm", "Read and edit the CRM, as one of its users."),
        ("interface", "interface:interface", "Serve CRM.interface to phones and connectors."),
        ("token", "token:token", "Issue, check and revoke the tokens of CRM.interface."),
    ),
    "Try": (
        ("demo", "demo:demo", "Play a week against a stand-in Exchange on this machine."),
        ("sandbox", "sandbox:sandbox", "Start a stand-in server to try things with."),
    ),
}
"""The commands by group: name, module and function, and what each does."""

NAMES = frozenset(name for commands in COMMANDS.values() for name, *_ in commands)
"""The names of all commands."""
