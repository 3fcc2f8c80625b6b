#!/usr/bin/python3
"""`backup --all`: every machine of the host, several at once; one that fails does
not keep the others from being backed up."""

import json

from domainlab import MIB, Disk, Oracle, check, check_equal, need, say
from own_host import run_on_own_host
from writes import scribble

SIZE = 24 * MIB
USAGE = 2


def back_up_all(lab, *words):
    done = lab.backstitch("--json", "backup", "--all", *words, ok=False)
    backups = json.loads(done.stdout)["backups"]
    return done.returncode, {one["domain"]: one for one in backups}


def test_all_machines(lab):
    others = lab.virsh("list", "--all", "--name").stdout.split()
    need(not others, f"there are other machines here ({', '.join(others)}), "
         "which would be backed up, too")
    check_equal(back_up_all(lab), (0, {}), "without machines")

    machines = [lab.machine([Disk("vda", lab.image(f"{number}.qcow2", SIZE))])
                for number in range(5)]
    oracles = [Oracle(lab, machine) for machine in machines]
    for machine in machines[:3]:
        machine.start()
    machines[2].suspend()
    for words in ([], ["--jobs", "3"], ["--jobs", "9"]):
        for machine in machines:
            scribble(machine, "vda", SIZE)
        code, results = back_up_all(lab, *words)
        check_equal(code, 0, f"{words}: exit status")
        check_equal(set(results), {one.name for one in machines}, "machines")
        for oracle in oracles:
            oracle.take(results[oracle.name])
    check_equal([machine.state() for machine in machines],
                ["running", "running", "paused", "shut off", "shut off"],
                "states")

    say("with one that cannot be backed up")
    machines[3].disk("vda").path.unlink()
    for machine in machines[:3] + machines[4:]:
        scribble(machine, "vda", SIZE)
    code, results = back_up_all(lab, "--jobs", "2")
    check(code not in (0, USAGE), f"exit {code}")
    check("error" in results[machines[3].name], results)
    check_equal(oracles[3].points(), [1, 2, 3], "points of the failed one")
    for oracle in oracles[:3] + oracles[4:]:
        oracle.take(results[oracle.name])
    for oracle in oracles:
        oracle.check_all()

    done = lab.backstitch("backup", "--all", "--name", "x", ok=False)
    check_equal(done.returncode, USAGE, "--all with --name")


run_on_own_host(globals())
