"""The laptop AWS is for its owner only, and what it cannot start with is one sentence."""

import resource
import socket
import subprocess
import sys

import pytest

from local.laptop import ROOT, LaptopAWS, LaptopError


def test_nobody_else_reads_what_it_writes(laptop):
    s3 = laptop.client("s3")
    s3.create_bucket(Bucket="private-files")
    s3.put_object(Bucket="private-files", Key="face.jpg", Body=b"a face")
    laptop.client("kinesisvideo").list_streams()
    written = [path for path in laptop.directory.rglob("*") if not path.is_symlink()]
    assert {path.name for path in written} >= {"laptop.log", "iam.jsonl", "tmp", "authority.pem"}
    # Not what this process writes beside: the standard error, tests' failures, the AWS files.
    others = ("errors.log", "faults.json", "faults.met")
    ours = [path for path in written if path.name not in others and "home" not in path.parts]
    assert [path for path in ours if path.stat().st_mode & 0o077] == []


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        laptop = LaptopAWS(tmp_path, port=port)
        with pytest.raises(LaptopError) as failed:
            laptop.start()
    assert str(failed.value).endswith(f"did not start: port {port}: Address already in use")
    assert laptop.processes() == []


@pytest.mark.parametrize("port", ["99999", "-1", "x"])
def test_a_port_that_is_none_is_a_mistake_of_the_command_line(tmp_path, port):
    command = [LaptopAWS(tmp_path).emulator, "-m", "local", f"--port={port}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{port!r} is no port" in done.stderr


def test_where_too_few_files_may_be_open_it_says_so():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    code = "from local.laptop import allow_open_files; allow_open_files()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, preexec_fn=limit, capture_output=True, text=True
    )
    assert "only 64 files may be open here; the laptop AWS needs 512" in done.stderr
