"""The job `digest`: people are mailed which of their edits were lost, put back or refused.

Each thing is told once; somebody whose mail is refused is told of it next time.
"""

from __future__ import annotations

from accord.ports.errors import Rejected
from accord.service.digest import Digest, tell, untold
from accord.service.jobs.job import Outcome, Work
from accord.service.notices.mail import Mailer
from accord.service.notices.settings import is_address


def send_digests(work: Work) -> Outcome:
    """Mail everybody's digest of what they weren't told yet."""
    if work.dry:
        found = untold(work.accord)
        names = [f"{one.user} <{one.address}>: {len(one.lines)}" for one in found]
        return Outcome(words=f"{len(found)} had edits that didn't come through", lines=names)
    lines: list[str] = []
    with Mailer(work.config.smtp, work.config.folder, work.fence) as mailer:

        def send(digest: Digest) -> None:
            work.step("mailing")
            try:
                _send(mailer, digest)
            except Rejected as error:
                lines.append(f"{digest.user}: {error}")
                raise
            lines.append(f"{digest.user}: told")

        told = tell(work.accord, send)
    left = len(lines) - told
    words = f"{told} told" + (f", {left} could not be" if left else "")
    counts = {"told": told, "failed": left}
    hint = "look at the addresses in the CRM" if left else ""
    return Outcome(
        words=words if lines else "every edit came through",
        counts=counts,
        lines=lines,
        failed=left,
        changed=told > 0,
        hint=hint,
    )


def _send(mailer: Mailer, digest: Digest) -> None:
    if not is_address(digest.address):
        raise Rejected("there is no address to write to")
    subject = f"{len(digest.lines)} of your changes didn't come through"
    mailer.send([digest.address], subject, _text(digest))


def _text(digest: Digest) -> str:
    parts = [f"{digest.user},", "these of your changes didn't come through:"]
    for line in digest.lines:
        what = f"{line.kind} {line.label!r}" if line.label else f"a {line.kind}"
        named = f" ({', '.join(line.fields)})" if line.fields else ""
        text = f"- {line.fate}, {line.at:%Y-%m-%d %H:%M} UTC: {what}{named}\n  {line.why}"
        parts.append(text)
    parts.append(
        "Whoever looks after the synchronization can say more, and bring lost values back."
    )
    return "\n\n".join(parts) + "\n"
