#!/usr/bin/env python3
"""mount and unmount: the tree comes, is used, and goes."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import support
from support import Skip, fails, make_repository, run, run_json, workplace


def need_fuse():
    if not os.path.exists("/dev/fuse"):
        raise Skip("there is no /dev/fuse")
    if shutil.which("fusermount3") is None:
        raise Skip("fusermount3 is not installed")
    if shutil.which("backstitchfs") is None:
        raise Skip("backstitchfs is not built")
    if os.geteuid() != 0:
        raise Skip("only root may be sure to mount")


def mounted(path):
    mounts = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return any(line.split()[4] == str(path) for line in mounts.splitlines())


def drivers(path):
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if (process / "comm").read_text().strip() == "backstitchfs":
                command = (process / "cmdline").read_bytes().split(b"\0")
                if str(path).encode() in command:
                    found.append(process.name)
        except OSError:
            continue
    return found


def mount(place, *arguments):
    """Mounts the repository r on m; the workplace unmounts what is left."""
    point = place / "m"
    point.mkdir(exist_ok=True)
    return point, run("-r", place / "r", "mount", point, *arguments).stdout


def test_mount_and_unmount():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r", ["vm1"])
        point, text = mount(place)
        assert text.startswith(f"mounted on {point}\n"), text
        assert f"backstitch unmount {point}" in text, text
        images = [line.strip() for line in text.splitlines() if ".raw" in line]
        assert len(images) == 10, text
        for image in images:
            assert os.path.getsize(image) in (64 * 65536 + 1000, 100000)
        assert drivers(point)
        text = run("unmount", point).stdout
        assert text == f"unmounted {point}\n", text
        assert not mounted(point) and not drivers(point)


def test_points_that_are_named():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, text = mount(place, "vm1@2", "--json")
        document = support.json.loads(text)
        assert document["mountpoint"] == str(point), document
        paths = [image["path"] for image in document["images"]]
        assert paths == [
            f"{point}/vm1/000002/{disk}.raw" for disk in ("vda", "vdb")
        ], paths
        assert all(map(os.path.exists, paths))
        assert not (point / "vm1" / "000003").exists()
        # It protects what it shows, and says who.
        kind = fails(
            "-r", place / "r", "delete", "vm1@2", status=5, says="backstitchfs"
        )
        assert kind == "busy"
        document = run_json("unmount", f"{point}/")
        assert document == {"mountpoint": str(point), "unmounted": True}
        run("-r", place / "r", "delete", "vm1@2")


def test_busy():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, _ = mount(place)
        with open(point / "vm1" / "latest" / "vda.raw", "rb"):
            kind = fails(
                "unmount", point, status=5, says=f"process {os.getpid()}"
            )
            assert kind == "busy"
        assert mounted(point)
        run("unmount", point)


def test_busy_with_a_loop_device():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, _ = mount(place)
        image = point / "vm1" / "000001" / "vda.raw"
        loop = subprocess.run(
            ["losetup", "-r", "-f", "--show", image],
            check=False,
            capture_output=True,
            text=True,
        )
        if loop.returncode != 0:
            raise Skip("no loop device: " + loop.stderr.strip())
        device = loop.stdout.strip()
        try:
            fails("unmount", point, status=5, says=device)
        finally:
            subprocess.run(["losetup", "-d", device], check=True)
        # The kernel lets go of a loop device's file a moment later.
        for _ in range(50):
            if not pathlib.Path(
                f"/sys/block/{os.path.basename(device)}/loop"
            ).exists():
                break
            time.sleep(0.1)
        run("unmount", point)


def in_other_namespace(script):
    """A process that keeps the mounts of now, as libvirt's QEMUs do."""
    child = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         f"{script}; echo; exec sleep 1000 <&3"],
        stdout=subprocess.PIPE,
    )
    child.stdout.read(1)
    return child


def test_mounted_in_another_namespace():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, _ = mount(place)
        image = point / "vm1" / "latest" / "vda.raw"
        reader = in_other_namespace(f"exec 3<{image}")
        try:
            fails("unmount", point, status=5, says=f"process {reader.pid}")
            assert mounted(point) and image.stat().st_size > 0
        finally:
            reader.kill()
            reader.communicate()
        keeper = in_other_namespace("exec 3</dev/null")
        try:
            begin = time.monotonic()
            run("unmount", point)
            assert time.monotonic() - begin < 8
            assert not mounted(point) and not drivers(point)
        finally:
            keeper.kill()
            keeper.communicate()


def test_a_dead_driver_can_be_unmounted():
    need_fuse()
    with workplace() as place:
        make_repository(place / "r")
        point, _ = mount(place)
        for driver in drivers(point):
            os.kill(int(driver), signal.SIGKILL)
        while drivers(point):
            time.sleep(0.05)
        run("unmount", point)
        assert not mounted(point)


def test_foreground():
    need_fuse()
    for json in (False, True):
        with workplace() as place:
            make_repository(place / "r")
            point = place / "m"
            point.mkdir()
            child = subprocess.Popen(
                ["backstitch", *(["--json"] if json else [])]
                + ["-r", place / "r", "mount", "-f", point, "vm1"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=support.environment(),
            )
            try:
                first = child.stdout.readline()
                assert first == ("{\n" if json else f"mounted on {point}\n"), first
                assert mounted(point)
                child.send_signal(signal.SIGTERM)
                # communicate() would miss what readline() has read ahead.
                out = child.stdout.read()
                assert child.wait(timeout=20) == 0, child.stderr.read()
                if json:
                    assert len(support.json.loads(first + out)["images"]) == 2
                assert not mounted(point) and not drivers(point)
            finally:
                child.kill()


def test_refusals():
    with workplace() as place:
        make_repository(place / "r")
        (place / "m").mkdir()
        kind = fails("unmount", place / "m", status=3, says="nothing is mounted")
        assert kind == "not-found"
        fails("unmount", "/proc", status=2, says="no tree of backstitch")
        r = place / "r"
        fails("-r", r, "mount", place / "m", "vm1@9", status=3, says="9")
        if shutil.which("backstitchfs") is None:
            return
        fails("-r", r, "mount", place / "no", status=3, says="no")
        fails("-r", r, "mount", place / "m", "-o", "frob", status=2, says="frob")


def test_without_the_driver():
    with workplace() as place:
        make_repository(place / "r")
        (place / "m").mkdir()
        program = place / "bin" / "backstitch"
        program.parent.mkdir()
        shutil.copy(shutil.which("backstitch"), program)
        result = subprocess.run(
            [program, "-r", place / "r", "mount", place / "m"],
            env=support.environment(PATH=str(place / "bin")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 6, result
        assert "backstitchfs" in result.stderr, result


if __name__ == "__main__":
    support.main(dict(globals()))
