#!/usr/bin/python3
"""The guest's file systems are frozen by its agent, QEMU's own, around the start
of the job and no longer; and whatever hangs or dies, the guest is not left
frozen:

  backstitch killed while it is frozen     thawed within 10 s
  the agent hangs, and goes on             thawed within 10 s of that
  backstitch hangs while it is frozen      thawed after its limit of 30 s
"""

import signal
import time

from agent_guest import AgentMachine
from domainlab import check, check_equal, say, wait_until
from faults import EXIT_FAILED, Backups, strike, took
from own_host import run_on_own_host

SOON = 10
LIMIT = 30

AT_FREEZE = ("virDomainFSFreeze", "before", 1)
AT_BEGIN = ("virDomainBackupBegin", "before", 1)
AT_THAW = ("virDomainFSThaw", "before", 1)
THAWED = ("virDomainFSThaw", "after", 1)


def expect_frozen(agent, result):
    check_equal(result["consistency"], "agent-frozen", "consistency")
    check(0 < result["frozen_ms"] < 1000, f"frozen_ms {result['frozen_ms']}")
    (first, begin), (second, end) = agent.hook()
    check_equal((first, second), ("freeze", "thaw"), "what the agent did")
    check(0 <= end - begin < 1.5, f"frozen for {end - begin:.2f} s")
    say(f"frozen for {result['frozen_ms']} ms, "
        f"{end - begin:.2f} s of the guest's clock")


def test_frozen_around_the_start_only(lab):
    agent = AgentMachine(lab)
    agent.guest("dd if=/dev/urandom of=/data/much bs=1M count=12; sync")
    result = agent.backup("--bandwidth", "6M", "--compression", "none")
    expect_frozen(agent, result)
    check(result["duration_ms"] > 1500, f"the rest took no time: {result}")
    agent.check_clean(result["point"], vda=True, vdb=True)
    result = agent.backup("--quiesce", "require")
    expect_frozen(agent, result)
    agent.check_clean(result["point"], vda=True, vdb=True)
    result = agent.backup("--quiesce", "no")
    check_equal((result["consistency"], result["frozen_ms"], agent.hook()),
                ("crash", 0, []), "with --quiesce=no")
    agent.check_clean(result["point"], vda=False)
    backups = Backups(lab, agent.machine)
    for where, did, job in ((AT_FREEZE, [], False),
                            (AT_BEGIN, ["freeze"], False),
                            (AT_THAW, ["freeze"], True),
                            (THAWED, ["freeze", "thaw"], True)):
        child = backups.start_held(where)
        check_equal(agent.hook_words(), did, f"{where[1]} {where[0]}")
        check_equal(backups.job(), job, f"a job {where[1]} {where[0]}")
        child.send_signal(signal.SIGCONT)
        backups.wait(child, 0)
        agent.hook()
        say(f"{where[1]} {where[0]}: {did}, job {job}")
    agent.exact_point()


def test_some_file_systems_only(lab):
    agent = AgentMachine(lab)
    backups = Backups(lab, agent.machine)
    child = backups.start_held(AT_BEGIN, "--freeze-mountpoint", "/data")
    agent.check_writes(SOON)
    say("/mnt is written to while /data is frozen")
    child.send_signal(signal.SIGCONT)
    backups.wait(child, 0)
    agent.check_clean(1, vda=False, vdb=True)
    agent.hook()
    child = backups.start_held(AT_BEGIN, "--freeze-mountpoint", "/mnt",
                               "--freeze-mountpoint", "/data")
    agent.check_frozen()
    child.send_signal(signal.SIGCONT)
    backups.wait(child, 0)
    agent.check_clean(2, vda=True, vdb=True)
    done = agent.backup("--freeze-mountpoint", "/nowhere", "--quiesce",
                        "require", ok=False)
    check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
    check("cannot be frozen" in done.stderr, done.stderr)
    agent.check_writes(SOON)
    agent.exact_point()


def test_without_an_agent(lab):
    agent = AgentMachine(lab, agent=False)
    begin = time.monotonic()
    done = agent.backup("--quiesce", "require", ok=False)
    took(begin, SOON, "a refusal")
    check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
    check("no guest agent is connected" in done.stderr, done.stderr)
    check_equal(agent.oracle.points(), [], "points")
    Backups(lab, agent.machine).check_ended()
    check_equal(agent.machine.checkpoints(), [], "checkpoints")
    begin = time.monotonic()
    result = agent.backup()
    took(begin, SOON, "a backup without")
    check_equal((result["consistency"], result["frozen_ms"]), ("crash", 0),
                "without an agent")
    agent.exact_point()


def wait_answers(agent):
    wait_until(agent.answers, "the agent answers", 30)
    agent.hook()


def hangs_before(agent, backups):
    agent.signal("STOP")
    done = agent.backup("--quiesce", "require", ok=False)
    check_equal(done.returncode, EXIT_FAILED, f"exit code; {done.stderr}")
    check("cannot be frozen" in done.stderr, done.stderr)
    check_equal(agent.oracle.points(), [1], "points")
    backups.check_ended()
    agent.check_writes(SOON)
    agent.signal("CONT")
    say(f"before the freeze: writes {agent.check_writes(SOON):.1f} s later")


def hangs_frozen(agent, backups):
    child = backups.start_held(AT_BEGIN)
    agent.signal("STOP")
    child.send_signal(signal.SIGCONT)
    words = backups.wait(child, 0, "cannot thaw")
    check_equal(agent.consistency(), "crash", "consistency")
    agent.check_frozen()
    agent.signal("CONT")
    say("frozen: writes again after the agent went on, "
        f"{agent.check_writes(SOON):.1f} s later; {words.splitlines()[-1]}")


def freezes_late(agent):
    """After nobody waits for it any more."""
    agent.guest("echo 14 >/tmp/delay")
    begin = time.monotonic()
    result = agent.backup()
    took(begin, 14, "a backup with an agent that is late")
    check_equal(result["consistency"], "crash", "consistency")
    check(any("not frozen" in one for one in result["warnings"]), result)
    agent.guest("rm /tmp/delay")
    wait_until(lambda: len(agent.hook(keep=True)) == 2, "freeze and thaw", 30)
    (first, begin), (second, end) = agent.hook()
    check_equal((first, second), ("freeze", "thaw"), "what the agent did")
    check(end - begin < SOON, f"frozen for {end - begin:.1f} s")
    agent.check_writes(SOON)
    say(f"froze late, for {end - begin:.1f} s")


def test_who_hangs(lab):
    """The agent of one machine; backstitch, with another machine frozen."""
    other = AgentMachine(lab)
    agent = AgentMachine(lab)
    backups = Backups(lab, agent.machine)
    held = Backups(lab, other.machine)
    child = held.start_held(AT_BEGIN)
    begin = time.monotonic()
    other.check_frozen()
    agent.exact_point()
    for strike_agent in (hangs_before, hangs_frozen):
        strike_agent(agent, backups)
        wait_answers(agent)
    freezes_late(agent)
    agent.exact_point()
    time.sleep(max(0, begin + LIMIT + SOON - time.monotonic()))
    other.check_writes(SOON)
    (_, begin), (_, end) = other.hook()
    check(LIMIT - 1 < end - begin < LIMIT + SOON,
          f"frozen for {end - begin:.1f} s")
    say(f"backstitch hangs: frozen for {end - begin:.1f} s")
    child.send_signal(signal.SIGCONT)
    # libvirtd may have given it up meanwhile.
    _, words = child.communicate(timeout=60)
    check("thawed before the backup had begun" in words, words)
    check(child.returncode != 0 or other.consistency() == "crash", words)
    held.check_ended()
    other.exact_point()


def test_backstitch_dies_while_frozen(lab):
    agent = AgentMachine(lab)
    backups = Backups(lab, agent.machine)
    for where in (("virDomainFSFreeze", "after", 1), AT_BEGIN, AT_THAW):
        child = backups.start(env=strike(lab, where, signal.SIGKILL))
        backups.wait(child, -signal.SIGKILL)
        say(f"killed {where[1]} {where[0]}: writes "
            f"{agent.check_writes(SOON):.1f} s later")
        check_equal(agent.hook_words(), ["freeze", "thaw"], "the agent")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        child = backups.start(env=strike(lab, AT_THAW, number))
        backups.wait(child, code)
        check_equal(agent.hook_words(), ["freeze", "thaw"], "the agent")
        backups.check_ended()
    agent.exact_point()


run_on_own_host(globals())
