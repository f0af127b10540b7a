"""`accord key`: the keys that encrypt secrets and private entries in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.state.secrets import Keys

key = App(name="key", help="Renew the key that encrypts secrets and private entries.")


@key.command
def rotate(
    *,
    retire: Annotated[
        bool,
        Parameter(
            help="Take the older keys out of the file too; with a key command, say which can go."
        ),
    ] = False,
    call: CallArgument,
) -> int:
    """Add a new key to the key file and encrypt everything in the database anew.

    Processes that run go on. Without --retire the older keys stay in the file, so that backups
    made before can still be read with it. Where a key command prints the keys, whoever manages
    them adds the new one first, as the last line; everything is encrypted under that one.
    """
    from accord.state.secrets import CommandKeys

    with call.accord() as accord:
        count = accord.state.rotate_keys(retire=retire)
        keys = accord.state.keys
    assert keys is not None
    managed = isinstance(keys, CommandKeys)
    call.data(
        {
            "encrypted": count,
            "retired": retire and not managed,
            "newest": keys.newest,
            "older": keys.older,
            "key_file": "" if managed else keys.where,
        }
    )
    done = f"{plural(count, 'value')} encrypted under the new"
    if managed:
        call.say(f"{done}est key in {keys.where}, {keys.newest}", markup=False)
        call.note(_advice(keys, count, retire=retire), markup=False)
    else:
        rest = "only it is left" if retire else "the older ones stay"
        call.say(f"{done} key; {rest} in {keys.where}", markup=False)
    return exits.OK


def _advice(keys: Keys, count: int, *, retire: bool) -> str:
    """Return what is left to whoever manages the keys."""
    older = ", ".join(keys.older)
    if retire and older:
        return (
            f"Nothing is under {older} any more. If every `accord run` was started anew since "
            f"{keys.newest} came, take them out of {keys.where}; backups made under them can't "
            "be read then."
        )
    if retire:
        return f"There is no older key in {keys.where}."
    if not count:
        return (
            "Nothing was under another key. For a new one, add a line at the end of "
            f"{keys.where}, and rotate again."
        )
    return f"Leave {older} there for older backups, or see `accord key rotate --retire`."
