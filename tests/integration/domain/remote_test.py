#!/usr/bin/python3
"""Machines of another host: over ssh, whose tunnel carries the disks and the
files that belong to the machine; over TCP with TLS, where both sides show
certificates. That host is this one; nothing of it is reached in another way."""

import os
import pathlib
import signal

from domainlab import Disk, check, check_equal, need_programs, say, wait_until
from faults import EXIT_FAILED, SIZE, Struck
from own_host import run_on_own_host
from remote import Certificates, Sshd, configure, listens


def ssh_processes(child):
    """{pid: arguments} of the ssh that a backup has started."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == child.pid and \
                words[0].endswith("ssh"):
            found[int(entry.name)] = words
    return found


def kill(pids):
    for pid in list(pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # one that looked for free space, say
            pass


def side_files(struck, point):
    files = struck.oracle.show(point)["manifest"]["files"]
    return {one["name"] for one in files}


def test_over_ssh(lab):
    need_programs("sshd", "ssh", "ssh-keygen")
    sshd = Sshd(lab)
    path = sshd.client("first", lab.path / "seen").parent
    os.environ["PATH"] = f"{path}:{os.environ['PATH']}"
    lab.uri = sshd.uri(f"keyfile={sshd.key}&no_verify=1")
    machine = lab.machine([Disk(one, lab.image(f"{one}.qcow2", SIZE))
                           for one in ("vda", "vdb")],
                          guest=True).start(paused=True)
    machine.resume()
    struck = Struck(lab, machine=machine)
    check({"domain.xml", "domain-live.xml", "kernel", "initrd"} <=
          side_files(struck, 1), side_files(struck, 1))
    say("full and incremental, with kernel and initrd, by key file")
    child = struck.start_slow()
    tunnel = [pid for pid, words in ssh_processes(child).items()
              if "-L" in words]
    check_equal(len(tunnel), 1, "tunnels")
    check(list(pathlib.Path("/tmp").glob("backstitch-*/socket")),
          "no socket that leads to the other host")
    points = struck.oracle.points()
    kill(tunnel)
    words = struck.wait(child, EXIT_FAILED, "vdb: ")
    say(f"the tunnel is cut: {words.splitlines()[-1]}")
    check_equal(struck.oracle.points(), points, "points")
    struck.next_is_exact()
    child = struck.start_slow()
    kill(ssh_processes(child))
    words = struck.wait(child, EXIT_FAILED)
    say(f"all is cut: {words.splitlines()[-1]}")
    check_equal(struck.oracle.points(), points + [points[-1] + 1], "points")
    struck.next_is_exact()
    child = struck.start_slow()
    copies = struck.oracle.copy(struck.targets)
    kill(pid for pid, words in ssh_processes(child).items()
         if "-L" not in words)
    struck.wait(child, 0)
    point = struck.oracle.points()[-1]
    struck.oracle.copies[point] = copies
    struck.oracle.compare(point)
    say("libvirt's connection is cut: made again")
    client = sshd.client("second", sshd.known, f"-i {sshd.key}")
    lab.uri = sshd.uri(f"command={client}")
    struck.next_is_exact()
    client = sshd.client("third", sshd.mistaken, f"-i {sshd.key}")
    lab.uri = sshd.uri(f"command={client}")
    done = struck.oracle.backup(ok=False)
    check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
    check("ost key verification failed" in done.stderr, done.stderr)
    say("a host with another key is refused")
    lab.uri = "qemu:///system"
    struck.next_is_exact()
    struck.oracle.check_all()


def refused(struck, label, *words):
    points = struck.oracle.points()
    struck.change()
    done = struck.oracle.backup("--tls", *words, ok=False)
    check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
    check_equal(struck.oracle.points(), points, "points")
    struck.check_nothing_left()
    say(f"{label}: {done.stderr.splitlines()[-1]}")


def test_over_tls(lab):
    need_programs("openssl")
    ours, theirs = Certificates(lab, "ours"), Certificates(lab, "theirs")
    configure("qemu.conf", backup_tls_x509_cert_dir=f'"{ours.folder}"',
              backup_tls_x509_verify=1)
    configure("libvirtd.conf", listen_tls=1, auth_tls='"none"',
              ca_file=f'"{ours.folder}/ca-cert.pem"',
              cert_file=f'"{ours.folder}/server-cert.pem"',
              key_file=f'"{ours.folder}/server-key.pem"')
    lab.daemons.options["libvirtd"] = ["--listen"]
    lab.daemons.restart_libvirtd()
    wait_until(lambda: listens(16514), "libvirtd listens", 30)
    struck = Struck(lab, ("vda",),
                    words=("--tls", "--tls-certificates", ours.folder))
    say("full and incremental, of a local machine")
    pki = lab.directory("pki")
    for path in ours.folder.glob("c*.pem"):
        (pki / path.name.replace("-", "")).write_bytes(path.read_bytes())
    lab.uri = f"qemu+tls://localhost/system?pkipath={pki}"
    result = struck.next_is_exact()
    say(f"over qemu+tls: {result['warnings']}")
    done = struck.oracle.backup(ok=False)
    check("say --tls" in done.stderr, done.stderr)
    lab.uri = "qemu:///system"
    refused(struck, "another authority", "--tls-certificates", theirs.folder)
    (lab.directory("bare") / "ca-cert.pem").write_bytes(
        (ours.folder / "ca-cert.pem").read_bytes())
    refused(struck, "no certificate of ours", "--tls-certificates",
            lab.path / "bare")
    refused(struck, "a server of another name", "--tls-certificates",
            ours.folder, "--nbd-host", "127.0.0.1")
    struck.next_is_exact()
    struck.oracle.check_all()


run_on_own_host(globals())
