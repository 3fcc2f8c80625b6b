"""What the tests of archives share: a work directory, backstitch, and reading
what it shows. BACKSTITCH_SEED repeats a run."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

SEED = int(os.environ.get("BACKSTITCH_SEED") or
           random.SystemRandom().randrange(1 << 32))


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class Lab:
    def __init__(self, name):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="backstitch-archive-"))
        self.random = random.Random(f"{SEED} {name}")
        self.environment = dict(os.environ, TZ="UTC", LC_ALL="C.UTF-8",
                                XDG_CACHE_HOME=str(self.path / "cache"))
        self.environment.pop("BACKSTITCH_REPOSITORY", None)
        self.mounts = []

    def directory(self, name):
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, *words, status=0):
        done = subprocess.run(["backstitch", *map(str, words)], text=True,
                              capture_output=True, timeout=120, check=False,
                              env=self.environment)
        check_equal(done.returncode, status,
                    f"exit of {words}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *words, status=0):
        return json.loads(self.run("--json", *words, status=status).stdout)

    def fails(self, *words, status, says):
        done = self.run(*words, status=status)
        text = done.stdout + done.stderr
        for part in [says] if isinstance(says, str) else says:
            check(part in text, f"{words}: {part!r} is not in\n{text}")

    def points(self, archive, domain="vm1", status=0):
        return self.json("-r", archive, "list", domain,
                         status=status)["points"]

    def mount(self, archive, *words):
        mount_point = self.directory(f"mount{len(self.mounts)}")
        self.mounts.append(mount_point)
        self.run("-r", archive, "mount", mount_point, *words)
        return mount_point

    def unmount(self, mount_point):
        self.run("unmount", mount_point)
        self.mounts.remove(mount_point)

    def close(self):
        for mount_point in self.mounts:
            subprocess.run(["umount", "-l", mount_point], capture_output=True,
                           check=False)
        shutil.rmtree(self.path, ignore_errors=True)


def check_image(path, content, what):
    """Byte for byte, holes and all."""
    with open(path, "rb") as file:
        got = file.read()
        check_equal(len(got), len(content), f"size of {what}")
        if got != content:
            at = next(i for i in range(0, len(got), 4096)
                      if got[i:i + 4096] != content[i:i + 4096])
            raise AssertionError(f"{what}: differs at offset {at}")


def run(names):
    print(f"BACKSTITCH_SEED={SEED}", flush=True)
    chosen = sys.argv[1:]
    failed = False
    for name, test in list(names.items()):
        if not name.startswith("test_") or chosen and name not in chosen:
            continue
        lab = Lab(name)
        try:
            test(lab)
            print(f"ok: {name}", flush=True)
        except Exception:
            failed = True
            print(f"FAILED: {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
        finally:
            lab.close()
    sys.exit(1 if failed else 0)
