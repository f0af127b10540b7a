"""A contact's photo, as the one file of its pair: what is to be done about it, what agrees then.

`files_pair` carries it out as it does with other files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from accord.engine.clash import judge_of
from accord.engine.files import File, Sums, Ways, compare_photo
from accord.engine.plan import Refile
from accord.engine.policy import Policy
from accord.model.files import PHOTO, file_field, files_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.rules.rule import OneWay
from accord.state.files import FilesOf

_FIELD = file_field(Kind.CONTACT)

_DIFFER = "both have a photo, and they differ: change or remove one of them"


def compare_photos(
    now: Mapping[Side, Snapshot],
    known: FilesOf,
    held: Mapping[Side, Collection[File]],
    open_to: Collection[Side],
    policy: Policy,
) -> tuple[Sums, tuple[str, ...]]:
    """Return what is to be done on each side, and why nothing is where nobody's can be chosen.

    What comes takes the place of what is there, and so that is among what is lost.
    """
    judge = judge_of(now[Side.CRM], now[Side.GROUPWARE], policy)
    carried = now[Side.GROUPWARE].item
    ways = Ways(
        open_to=open_to,
        winner=judge.winner(_FIELD, carried, carried)[0],
        restore=policy.program.one_way(_FIELD) is OneWay.RESTORE,
    )
    past = {Side.CRM: known.crm, Side.GROUPWARE: known.groupware}
    seen = {side: [File(PHOTO, each.digest) for each in past[side]] for side in Side}
    sums, clash = compare_photo(
        [File(*each) for each in known.agreed],
        seen,
        held,
        ways,
        [File(*each) for each in known.apart],
    )
    loses = {side: frozenset(held[side]) if sums.lacks[side] else sums.loses[side] for side in Side}
    return msgspec.structs.replace(sums, loses=loses), (_DIFFER,) if clash else ()


def with_reasons(
    steps: Sequence[Refile], held: Mapping[Side, Collection[File]], agreed: Collection[File]
) -> tuple[Refile, ...]:
    """Return steps of which those that put back what `agreed` last say so."""
    base = frozenset(agreed)
    return tuple(
        msgspec.structs.replace(
            step, why=f"the rule puts back the photo that was changed in the {step.side.place}"
        )
        if base and held[step.side.other] and frozenset(held[step.side.other]) <= base
        else step
        for step in steps
    )


def settled(known: FilesOf, after: Mapping[Side, Snapshot]) -> FilesOf:
    """Return what is known once a photo went over: what agrees, in the form each side keeps."""
    told = {(PHOTO, each.digest) for side in Side for each in files_of(after[side].item)}
    agreed = {one for one in (*known.agreed, *told) if one[1]}
    return msgspec.structs.replace(known, agreed=tuple(sorted(agreed)))


def unsettled(known: FilesOf, before: FilesOf) -> FilesOf:
    """Return what is known while something is left to do: by what was known `before` it is told.

    Where nothing agreed, that is by what was seen.
    """
    seen = known if before.agreed else before
    return msgspec.structs.replace(
        known,
        agreed=before.agreed,
        crm=seen.crm,
        groupware=seen.groupware,
        apart=before.apart,
    )


def agreed_after_undo(
    held: Mapping[Side, Collection[File]], agreed: Collection[File], *, failed: bool
) -> frozenset[File]:
    """Return what agrees after an undo; where a step `failed`, the next visit sees what changed."""
    both = frozenset(held[Side.CRM]) & frozenset(held[Side.GROUPWARE])
    return both or (frozenset(agreed) if failed else frozenset())


def forms_of(file: File, agreed: Iterable[tuple[str, str]]) -> frozenset[File]:
    """Return a photo in each form that the sides keep it in."""
    base = frozenset(File(*each) for each in agreed)
    return base if file in base else frozenset({file})
