"""The ways to a host elsewhere, all leading back to this one: sshd, and
certificates for TLS."""

import os
import pathlib
import socket

from domainlab import wait_until

PORT = 2222

SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
PermitRootLogin yes
UsePAM no
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp
"""

# `ssh` of both libvirt and backstitch: nothing of the user's is read or written.
SSH = """#!/bin/sh
exec /usr/bin/ssh -F none -o UserKnownHostsFile={known} {options} "$@"
"""


def listens(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """A server on the loop-back interface that lets root in with a key."""

    def __init__(self, lab):
        self.folder = lab.directory("ssh")
        self.key = self.folder / "key"
        for name in ("host", "key", "stranger"):
            lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    self.folder / name)
        config = self.folder / "sshd_config"
        config.write_text(SSHD.format(port=PORT, folder=self.folder),
                          encoding="utf-8")
        os.makedirs("/run/sshd", exist_ok=True)
        self.server = lab.start("/usr/sbin/sshd", "-D", "-e", "-f", config)
        wait_until(lambda: listens(PORT), "sshd listens")
        host = (self.folder / "host.pub").read_text().rsplit(" ", 1)[0]
        self.known = self._known("known", host)
        stranger = (self.folder / "stranger.pub").read_text().rsplit(" ", 1)[0]
        self.mistaken = self._known("mistaken", stranger)

    def _known(self, name, key):
        path = self.folder / name
        path.write_text(f"[localhost]:{PORT} {key}\n", encoding="utf-8")
        return path

    def client(self, name, known, options=""):
        """A program that stands for ssh."""
        path = self.folder / name / "ssh"
        path.parent.mkdir()
        path.write_text(SSH.format(known=known, options=options),
                        encoding="utf-8")
        path.chmod(0o755)
        return path

    @staticmethod
    def uri(query):
        return f"qemu+ssh://root@localhost:{PORT}/system?{query}"


class Certificates:
    """An authority, and who it vouches for. `folder` has what QEMU, libvirtd
    and libnbd look for in such a directory."""

    def __init__(self, lab, name):
        self.lab = lab
        self.folder = lab.directory(name)
        self._openssl("req", "-x509", "-subj", f"/CN=authority {name}",
                      "-days", "2", "-keyout", "ca-key.pem", "-out",
                      "ca-cert.pem")
        for who, words in (("server", "DNS:localhost"),
                           ("client", "DNS:client")):
            self._openssl("req", "-subj", f"/CN={who}", "-keyout",
                          f"{who}-key.pem", "-out", f"{who}.csr")
            (self.folder / "names").write_text(f"subjectAltName={words}\n")
            lab.run("openssl", "x509", "-req", "-in", f"{who}.csr", "-CA",
                    "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
                    "-days", "2", "-extfile", "names", "-out",
                    f"{who}-cert.pem", cwd=self.folder)
        for path in self.folder.iterdir():
            path.chmod(0o644)

    def _openssl(self, *words):
        self.lab.run("openssl", *words, "-newkey", "rsa:2048", "-nodes",
                     cwd=self.folder)


def configure(path, **values):
    """Adds settings to a configuration of libvirt's."""
    with open(pathlib.Path("/etc/libvirt") / path, "a",
              encoding="utf-8") as file:
        for key, value in values.items():
            file.write(f'\n{key} = {value}\n')
