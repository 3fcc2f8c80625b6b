#!/usr/bin/env python3
"""doctor: a clock that was wrong, a point that is damaged, no repository."""

import support
from support import flip, make_repository, run_json, workplace

CLEAN = "qemu+unix:///system?socket=/nonexistent/socket"


def found(*arguments, says):
    document = run_json(*arguments, "-c", CLEAN, "doctor", status=1)
    named = [f for f in document["findings"] if says in f["what"]]
    assert len(named) == 1, (says, document)
    return named[0]


def test_a_clock():
    with workplace() as place:
        r = make_repository(place / "r", times=["2999-01-01T00:00:00.000Z"])
        finding = found("-r", r, says="is in the future")
        assert finding["grade"] == "problem", finding
        assert finding["remedy"] == "timedatectl set-ntp true", finding


def test_damage():
    with workplace() as place:
        r = make_repository(place / "r")
        flip(r / "vm1" / "000002" / "point.json", 100)
        finding = found("-r", r, says="000002")
        assert finding["remedy"] == f"backstitch -r {r} verify vm1", finding


def test_nothing_named():
    finding = found(says="no repository was named")
    assert finding["grade"] == "note", finding
    finding = found(says="cannot connect to")
    assert finding["grade"] == "problem" and not finding["remedy"], finding


support.main(dict(globals()))
