#!/usr/bin/python3
"""The Debian package on a clean root: installed, used, its units checked, and
taken away again."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"])
RELEASE = "bookworm"


def run(*command, ok=True, **options):
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, check=False, **options)
    if ok and done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout if ok else done


def mirror():
    """Where this host has its own packages from, and what it says beside."""
    for line in run("apt-get", "indextargets", "--format",
                    "$(REPO_URI) $(RELEASE) $(COMPONENT)").splitlines():
        uri, release, component = line.split()[:3]
        if release == RELEASE and component == "main":
            return uri
    raise AssertionError(f"no source of packages has {RELEASE}")


@contextlib.contextmanager
def clean_root():
    parent = os.environ.get("BACKSTITCH_TEST_DIR", "/var/tmp")
    root = pathlib.Path(tempfile.mkdtemp(prefix="backstitch-root.",
                                         dir=parent))
    try:
        run("debootstrap", "--variant=minbase", "--include=ca-certificates",
            RELEASE, root, mirror())
        for path in pathlib.Path("/etc/apt").glob("**/*"):
            copy = root / path.relative_to("/")
            if path.is_file() and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        # Devices of its own: packages change the owners of what they find.
        run("mknod", "-m", "666", root / "dev/fuse", "c", 10, 229)
        run("mount", "-t", "proc", "none", root / "proc")
        yield root
    finally:
        run("umount", "-l", root / "proc", ok=False)
        shutil.rmtree(root)


class Root:
    def __init__(self, path):
        self.path = path

    def __call__(self, command, ok=True):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
        env.update({key: value for key, value in os.environ.items()
                    if key.lower().endswith("_proxy")})
        return run("chroot", self.path, "sh", "-ec", command, ok=ok, env=env)


def use(root):
    """A backup, a mount and a restore with what the package brought."""
    root("backstitch -r /srv/r init")
    root("qemu-img create -q -f qcow2 /srv/a.qcow2 8M; "
         "qemu-io -c 'write -P 5 1M 1M' /srv/a.qcow2 >/dev/null")
    root("backstitch -r /srv/r backup --image vda=/srv/a.qcow2 --name vm1")
    root("mkdir /srv/tree; backstitch -r /srv/r mount /srv/tree; "
         "qemu-img compare -f qcow2 -F raw /srv/a.qcow2 "
         "/srv/tree/vm1/latest/vda.raw; backstitch unmount /srv/tree")
    root("backstitch -r /srv/r restore vm1 /srv/; test -s /srv/vda.raw")
    root("printf 'repository = \"/srv/r\"\\n[machine.vm1]\\n"
         "images = { vda = \"/srv/a.qcow2\" }\\n' "
         ">/etc/backstitch/backstitch.toml; backstitch run")
    assert "vm1" in root("backstitch list --names")


def check_files(root):
    listed = root("dpkg -L backstitch").splitlines()
    for path in ("/usr/bin/backstitch", "/usr/bin/backstitchfs",
                 "/usr/share/man/man1/backstitch.1.gz",
                 "/usr/share/man/man8/backstitchfs.8.gz",
                 "/usr/share/man/man5/backstitch-format.5.gz",
                 "/usr/share/bash-completion/completions/backstitch.bash",
                 "/usr/share/zsh/site-functions/_backstitch",
                 "/usr/share/fish/vendor_completions.d/backstitch.fish",
                 "/etc/backstitch/backstitch.toml"):
        assert path in listed, (path, listed)
    assert not [path for path in listed if "test" in path]
    return [path for path in listed
            if path.endswith((".service", ".timer", ".mount"))]


def main():
    made = run(SOURCE / "dev", "package").strip().splitlines()
    package = next(SOURCE.glob("build/package/backstitch_*.deb"), None)
    assert package, made
    with clean_root() as path:
        root = Root(path)
        shutil.copy(package, path / "srv/backstitch.deb")
        root("apt-get update -qq; apt-get install -qq -y "
             "--no-install-recommends /srv/backstitch.deb systemd")
        units = check_files(root)
        assert len(units) == 7, units
        # A template is checked as one of its instances.
        words = " ".join(unit.replace("@.", "@vm1.") for unit in units)
        verified = root(f"systemd-analyze verify --man=no {words} 2>&1", ok=False)
        assert verified.returncode == 0 and not verified.stdout, verified
        use(root)
        root("apt-get purge -qq -y backstitch")
        assert not (path / "usr/bin/backstitch").exists()
        assert not (path / "etc/backstitch/backstitch.toml").exists()
        assert (path / "srv/r/vm1/000001/point.json").exists()
    print("installed, used, and taken away again")


if __name__ == "__main__":
    sys.exit(main())
