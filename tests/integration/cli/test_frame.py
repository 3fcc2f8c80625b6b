#!/usr/bin/env python3
"""Options, errors, exit codes and what becomes of a broken stdout."""

import os
import signal
import subprocess

import support
from support import fails, run, run_json, workplace


def test_help():
    overview = run("--help").stdout
    assert "usage: backstitch" in overview
    assert run("list", "--help").stdout.startswith("usage: backstitch list")
    assert run("-h", "list").stdout == run("list", "-h").stdout
    assert run("--version").stdout.startswith("backstitch ")


def test_usage_errors():
    assert fails(status=2, says="no command") == "usage"
    fails("lst", status=2, says="did you mean 'list'?")
    fails("list", "--al", status=2, says="did you mean '--all'?")
    fails("list", "a", "b", status=2, says="too many arguments")
    fails("show", status=2, says="usage: backstitch show POINT")
    fails("list", status=2, says="BACKSTITCH_REPOSITORY")
    fails("-r", status=2, says="--repository")
    fails("completion", "csh", status=2, says="csh")


def test_not_found():
    with workplace() as place:
        assert fails("-r", place / "no", "list", status=3, says="no") == "not-found"


def test_environment_names_the_repository():
    with workplace() as place:
        run("init", place / "r")
        env = support.environment(BACKSTITCH_REPOSITORY=str(place / "r"))
        assert run("list", env=env).stdout == "no backups yet\n"


def test_errors_stay_on_one_line():
    result = run("-r", "/no/such\n\033[2Jplace", "list", status=3)
    assert "/no/such\\x0a\\x1b[2Jplace" in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr


def test_full_disk():
    with open("/dev/full", "w", encoding="ascii") as full:
        for arguments in (["--help"], ["--json", "frobnicate"], ["--version"]):
            result = run(*arguments, status=1, stdout=full)
            assert result.stderr.startswith("backstitch: "), result.stderr


def test_broken_pipe():
    read, write = os.pipe()
    os.close(read)
    result = run("--help", status=1, stdout=write)
    os.close(write)
    assert "Broken pipe" in result.stderr, result.stderr


def test_closed_stdout():
    result = subprocess.run(
        "backstitch --version >&-",
        shell=True,
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert result.returncode == 1, result
    assert "standard output" in result.stderr, result


def test_json_documents():
    with workplace() as place:
        assert run_json("init", place / "r")["repository"] == str(place / "r")
        assert run_json("-r", place / "r", "list")["domains"] == []
        # Among the command's own options it means the same.
        assert run("list", "--json", "-r", place / "r").stdout.startswith("{")


def test_init():
    with workplace() as place:
        text = run("init", place / "r").stdout
        assert f"-r {place}/r backup" in text, text
        assert (place / "r").stat().st_mode & 0o777 == 0o700
        run("-r", place / "r2", "init")
        assert (place / "r2" / "repository.json").exists()
        run("init", place / "r", status=2)


def test_signals_end_it():
    # A fifo as the repository's file: reading waits until a signal comes, and a
    # second one ends what the first could not.
    for number in (signal.SIGINT, signal.SIGTERM):
        with workplace() as place:
            os.mkfifo(place / "repository.json")
            child = subprocess.Popen(
                ["backstitch", "-r", str(place), "list"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            code = None
            while code is None:
                child.send_signal(number)
                try:
                    code = child.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    pass
            assert code in (-number, 128 + number), code


support.main(dict(globals()))
