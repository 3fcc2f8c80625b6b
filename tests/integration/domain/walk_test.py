#!/usr/bin/python3
"""Anything in any order: BACKSTITCH_STEPS acts (60), from BACKSTITCH_SEED. Every
backup must succeed, and every point be and stay what the disks held."""

import os

from domainlab import check, say
from own_host import run_on_own_host
from walk import Walk

WEIGHTS = {
    "do_backup": 40, "do_delete": 5, "do_power": 12, "do_pause": 4,
    "do_kill_qemu": 3, "do_plug": 5, "do_resize": 4, "do_snapshot": 6,
    "do_commit": 4, "do_throw_away": 3, "do_other_checkpoint": 4,
    "do_roll_back": 6, "do_restore": 2, "do_delete_other": 3, "do_forget": 4, "do_remove_bitmap": 3,
}


def test_anything_in_any_order(lab):
    walk = Walk(lab)
    steps = int(os.environ.get("BACKSTITCH_STEPS", 60))
    done = []
    while len(done) < steps:
        act = lab.random.choices(list(WEIGHTS), WEIGHTS.values())[0]
        walk.scribble()
        if not getattr(walk, act)():
            continue
        done.append(act)
        if act not in ("do_backup", "do_pause"):
            say(f"{len(done)}: {act.removeprefix('do_').replace('_', ' ')}: "
                f"{walk.machine.state()}")
    for oracle in walk.oracles:
        oracle.check_all()
    check(sum(len(oracle.copies) for oracle in walk.oracles) > 0, "no points")


run_on_own_host(globals())
