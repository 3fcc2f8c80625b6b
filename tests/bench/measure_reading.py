"""Reading a mounted disk, each time through a fresh mount."""

import contextlib

import ours
import peers
import reading
import run
from report import Row

READ_AHEAD_KIB = 1024
FIGURES = ["sequential", "again", "cached", "direct"]
UNITS = {"sequential": "MB/s", "again": "MB/s", "cached": "IOPS",
         "direct": "IOPS"}
TITLES = {"sequential": "sequential", "again": "second read",
          "cached": "4 KiB random", "direct": "4 KiB random, direct, 16"}


def read_through(open_mount):
    """All figures of one subject, each through a mount of its own."""
    figures = {}
    run.settle()
    with open_mount() as file:
        figures["sequential"] = reading.sequential(file)
        figures["again"] = reading.sequential(file)
    with open_mount() as file:
        figures["cached"] = reading.random_cached(file)
    with open_mount() as file:
        figures["direct"] = reading.random_direct(file)
    return figures


def backstitch(context, repository, point="latest"):
    @contextlib.contextmanager
    def open_mount():
        with ours.mounted(repository, context.work / "mnt") as points:
            yield points / point / "vda.raw"
    return open_mount


def _qemu(context, image):
    @contextlib.contextmanager
    def open_mount():
        with peers.qemu_export(image, context.work / "export.raw") as file:
            peers.set_read_ahead(file, READ_AHEAD_KIB)
            yield file
    return open_mount


def _passthrough(context, raw):
    program = context.build / "tests" / "bench" / "passthrough"

    @contextlib.contextmanager
    def open_mount():
        with peers.passthrough(program, raw, context.work / "mnt") as file:
            peers.set_read_ahead(file, READ_AHEAD_KIB)
            yield file
    return open_mount


def medians(results):
    return {name: {figure: run.median([r[figure] for r in of_rounds])
                   for figure in FIGURES}
            for name, of_rounds in results.items()}


def row(results, name, peer, figure, goal=None, peer_name=None):
    subject, peer_label = name, peer_name or peer
    return Row("reading", f"{subject}, {TITLES[figure]}",
               results[name][figure], peer_label, results[peer][figure],
               UNITS[figure], goal, faster_is_more=True)


def measure(context):
    dense = context.dense_disk()
    raw = context.work / "dense.raw"
    zstd_image = context.work / "dense-zstd.qcow2"
    peers.convert(dense, raw)
    peers.convert(dense, zstd_image, "-c", "-o", "compression_type=zstd",
                  target="qcow2")
    zstd = ours.Repository(context.fresh("reading-zstd"))
    none = ours.Repository(context.fresh("reading-none"))
    zstd.backup(dense, "--level", "copy")
    none.backup(dense, "--level", "copy", "--compression", "none")

    subjects = {
        "zstd": backstitch(context, zstd),
        "none": backstitch(context, none),
        "QEMU zstd": _qemu(context, zstd_image),
        "QEMU plain": _qemu(context, dense),
        "pass-through": _passthrough(context, raw),
    }
    results = medians(run.interleave(
        {name: lambda mount=mount: read_through(mount)
         for name, mount in subjects.items()}, context.rounds))
    for path in [raw, zstd_image, zstd.path, none.path]:
        context.fresh(path.name)

    return [
        row(results, "zstd", "QEMU zstd", "sequential", 2.0),
        row(results, "none", "pass-through", "sequential", 0.8),
        row(results, "none", "QEMU plain", "sequential"),
        # What the page cache gives for a file of any FUSE driver.
        row(results, "zstd", "pass-through", "again", 0.8),
        row(results, "none", "pass-through", "again", 0.8),
        row(results, "zstd", "QEMU zstd", "cached", 2.0),
        row(results, "zstd", "QEMU zstd", "direct", 2.0),
        row(results, "none", "QEMU plain", "cached", 1.0),
        row(results, "none", "QEMU plain", "direct", 1.0),
        row(results, "none", "pass-through", "cached"),
        row(results, "none", "pass-through", "direct"),
    ]
