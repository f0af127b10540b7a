"""A Kerberos realm of its own (MIT, from Debian): database, key centre on a free port, keys."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from accord.sandbox.process import HOST, PeerMissing, free_port, until

REALM = "EXAMPLE.COM"
PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
INSTALL = "apt-get install krb5-kdc krb5-admin-server krb5-user"
LIBRARY = "pip install -r requirements/kerberos.lock (needs libkrb5-dev and a C compiler)"

_CLIENT = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{realm} = {{
  kdc = {host}:{port}
}}
"""
_CENTRE = """\
[kdcdefaults]
kdc_listen = {host}:{port}
kdc_tcp_listen = {host}:{port}
[realms]
{realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
}}
"""


class Kdc:
    """Issue tickets until closed; needs no root."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"))
        found = {each: shutil.which(each, path=path) for each in PROGRAMS}
        if not all(found.values()):
            raise PeerMissing(f"MIT Kerberos is not installed: {INSTALL}")
        if any(find_spec(each) is None for each in ("gssapi", "krb5")):
            raise PeerMissing(f"the Kerberos library is not installed: {LIBRARY}")
        self._programs = {name: str(where) for name, where in found.items()}
        self._folder = folder
        port = free_port()
        told = {"realm": REALM, "host": HOST, "port": port, "folder": folder}
        (folder / "krb5.conf").write_text(_CLIENT.format(**told))
        (folder / "kdc.conf").write_text(_CENTRE.format(**told))
        self.environ = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{folder / 'tickets'}",
            "KRB5_KTNAME": f"FILE:{folder / 'server.keytab'}",
            "KRB5RCACHEDIR": str(folder),
        }
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        self._log = (folder / "kdc.log").open("wb")
        self._process = subprocess.Popen(
            [self._programs["krb5kdc"], "-n"],
            env=os.environ | self.environ,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.person("probe", "probe")
        if not until(lambda: self._answers("probe"), 60):
            self.close()
            raise RuntimeError((folder / "kdc.log").read_text())

    def person(self, name: str, password: str) -> str:
        """Add an account; return its whole name."""
        self._admin(f"addprinc -pw {password} {name}")
        return f"{name}@{REALM}"

    def service(self, name: str, keytab: Path) -> None:
        """Add an account with a key of its own, written into a file."""
        self._admin(f"addprinc -randkey {name}")
        self._admin(f"ktadd -k {keytab} {name}")

    def sign_in(self, name: str, password: str) -> None:
        """Get the process's own tickets, as an administrator does."""
        self._run("kinit", name, given=f"{password}\n")

    def sign_out(self) -> None:
        """Throw the process's own tickets away."""
        self.file("tickets").unlink(missing_ok=True)

    def file(self, name: str) -> Path:
        """Return where a file of this realm is."""
        return self._folder / name

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _answers(self, password: str) -> bool:
        try:
            self._run("kinit", "-c", str(self._folder / "probe"), "probe", given=f"{password}\n")
        except subprocess.CalledProcessError:
            return False
        return True

    def _admin(self, command: str) -> None:
        self._run("kadmin.local", "-r", REALM, "-q", command)

    def _run(self, program: str, *words: str, given: str = "") -> None:
        subprocess.run(
            [self._programs[program], *words],
            env=os.environ | self.environ,
            input=given,
            text=True,
            check=True,
            capture_output=True,
        )
