#!/usr/bin/env python3
"""delete and prune: what goes, what stays, what comes back."""

import resource

import support
from support import fails, make_repository, run, run_json, workplace


def numbers(r, domain="vm1"):
    return [p["point"] for p in run_json("-r", r, "list", domain)["points"]]


def test_delete():
    with workplace() as place:
        r = make_repository(place / "r", ["vm1", "vm2"])
        text = run("-r", r, "delete", "vm1@2", "vm2@2", "vm1@3", "vm1@3").stdout
        assert text.startswith(
            "deleted vm1@2\ndeleted vm1@3\ndeleted vm2@2\n"
        ), text
        assert text.endswith(" freed\n"), text
        assert numbers(r) == [1, 4, 5]
        assert numbers(r, "vm2") == [1, 3, 4, 5]
        run("-r", r, "verify")


def test_delete_says_before_what_it_would_do():
    with workplace() as place:
        r = make_repository(place / "r")
        would = run_json("-r", r, "delete", "-n", "vm1@2", "vm1@3")
        assert would["dry_run"] and would["deleted"] == ["vm1@2", "vm1@3"], would
        assert numbers(r) == [1, 2, 3, 4, 5]
        did = run_json("-r", r, "delete", "vm1@2", "vm1@3")
        assert did["freed_bytes"] > 0, did
        assert "would delete vm1@1" in run("-r", r, "delete", "-n", "vm1@1").stdout


def few_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))


def test_a_long_chain():
    """A thousand points and the usual soft limit of 1024 files, in small."""
    with workplace() as place:
        times = [f"2026-01-01T10:{n:02}:00.000Z" for n in range(60)]
        r = make_repository(place / "r", times=times)
        run("-r", r, "verify", preexec_fn=few_files)
        run("-r", r, "prune", "vm1", "--keep-last", "5", preexec_fn=few_files)
        run("-r", r, "verify", preexec_fn=few_files)
        assert numbers(r) == list(range(56, 61))


def test_delete_all_or_nothing():
    with workplace() as place:
        r = make_repository(place / "r")
        fails("-r", r, "delete", "vm1@2", "vm1@9", status=3, says="9")
        assert numbers(r) == [1, 2, 3, 4, 5]


def test_delete_the_last():
    with workplace() as place:
        r = make_repository(place / "r")
        run("-r", r, "delete", *[f"vm1@{n}" for n in range(1, 6)])
        assert run("-r", r, "list", "vm1").stdout == "no points\n"


def test_prune():
    with workplace() as place:
        r = make_repository(place / "r")
        rules = ["--keep-last", "1", "--keep-daily", "2", "--keep-monthly", "2"]
        would = run_json("-r", r, "prune", "vm1", "--dry-run", *rules)
        assert [p["keep"] for p in would["points"]] == [
            False,
            False,
            True,
            True,
            True,
        ], would
        assert "monthly" in would["points"][2]["reasons"], would
        assert numbers(r) == [1, 2, 3, 4, 5]
        text = run("-r", r, "prune", "vm1", *rules).stdout
        assert "    1  2026-01-01 10:00:00  delete" in text, text
        assert "2 points deleted" in text, text
        assert numbers(r) == [3, 4, 5]
        assert "0 points deleted" in run("-r", r, "prune", "vm1", *rules).stdout
        run("-r", r, "verify")


def test_prune_needs_a_rule():
    with workplace() as place:
        r = make_repository(place / "r")
        fails("-r", r, "prune", "vm1", status=2, says="--keep-last")
        fails("-r", r, "prune", "vm1", "--keep-last", "0", status=2, says="keep")
        fails("-r", r, "prune", "vm1", "--keep-last", "-3", status=2, says="keep-last")
        fails("-r", r, "prune", "vm1", "--keep-last", "x", status=2, says="keep-last")
        assert numbers(r) == [1, 2, 3, 4, 5]


def test_prune_never_deletes_all():
    with workplace() as place:
        r = make_repository(place / "r")
        for rule in ("last", "daily", "weekly", "monthly", "yearly"):
            run("-r", r, "prune", "vm1", f"--keep-{rule}", "1")
            assert numbers(r) == [5], rule


def test_prune_judges_nothing_it_cannot_read():
    with workplace() as place:
        r = make_repository(place / "r")
        support.flip(r / "vm1" / "000003" / "point.json", 40)
        kind = fails(
            "-r", r, "prune", "vm1", "--keep-last", "1", status=4, says="nothing deleted"
        )
        assert kind == "damaged"
        assert (r / "vm1" / "000001" / "point.json").exists()


support.main(dict(globals()))
