"""`accord key`: the keys that encrypt secrets and private entries in the database."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.words import plural

key = App(name="key", help="Renew the key that encrypts secrets and private entries.")


@key.command
def rotate(
    *,
    retire: Annotated[bool, Parameter(help="Take the older keys out of the file too.")] = False,
    call: CallArgument,
) -> int:
    """Add a new key to the key file and encrypt everything in the database anew.

    Processes that run go on. Without --retire the older keys stay in the file, so that backups
    made before can still be read with it.
    """
    with call.accord() as accord:
        count = accord.state.rotate_keys(retire=retire)
        held = accord.state.keys
    where = str(held.path) if held is not None else ""
    call.data({"encrypted": count, "retired": retire, "key_file": where})
    rest = "only it is left" if retire else "the older ones stay"
    call.say(
        f"{plural(count, 'value')} encrypted under the new key; {rest} in {where}", markup=False
    )
    return exits.OK
