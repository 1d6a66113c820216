"""The list of policies that an operator allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlap.cli.inspect import inspect
from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.launching.document import read_document
from outlap.policy.allowed import MAX_BYTES, read_allowed
from outlap.policy.file import load_policy

OTHER = "0123456789abcdef" * 4


def test_what_inspect_prints_can_be_put_on_the_list(
    policy_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inspect(policy_path)
    (digest,) = [word for word in capsys.readouterr().out.split() if len(word) == 64]
    path = tmp_path / "allowed.txt"
    path.write_text(f"# ours\n\n  {OTHER.upper()}\t# the last one\n{digest} # this one")
    allowed = read_allowed(path)
    assert allowed == {OTHER, digest}
    assert load_policy(policy_path, allowed_digests=allowed).digest == digest
    with pytest.raises(OutlapError, match="not on the list of allowed ones"):
        load_policy(policy_path, allowed_digests=allowed - {digest})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# nobody\n\n", "is empty"),
        (b"", "is empty"),
        (OTHER.encode() + b"\n" + OTHER[:-1].encode(), "line 2"),
        (OTHER.encode() + b"0", "line 1"),
        (OTHER.encode() + b"  policy.onnx", "line 1"),
        (b"g" * 64, "line 1"),
        (b"\xff\xfe" + OTHER.encode("utf-16-le"), "not a text file"),
        (b"#" * (MAX_BYTES + 1), "is refused"),
    ],
)
def test_a_malformed_list_is_refused_by_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "allowed.txt"
    path.write_bytes(content)
    with pytest.raises(OutlapError, match=message) as caught:
        read_allowed(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match="cannot read the list of allowed policies"):
        read_allowed(tmp_path / "allowed.txt")


def test_the_drive_group_passes_a_list_on() -> None:
    text = (share_directory() / "launch" / "drive.launch.xml").read_text()
    assert read_document(share_directory() / "launch" / "drive.launch.xml")
    assert '<param name="allowed" value="$(var allowed)" type="str"/>' in text
