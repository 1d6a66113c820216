"""Reading a file whose name or place is odd ends in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.files import read_bytes


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 300, "cannot read the policy: File name too long."),
        ("\ud800.onnx", "cannot read the policy: no file can have this name."),
        ("a\0b", "cannot read the policy: no file can have this name."),
        ("none", "cannot read the policy: No such file or directory."),
    ],
    ids=["long", "half a pair", "NUL", "missing"],
)
@pytest.mark.parametrize("follow", [True, False])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str, words: str, follow: bool) -> None:
    with pytest.raises(OutlapError) as caught:
        read_bytes(tmp_path / name, "policy", follow=follow)
    assert str(caught.value).endswith(words)
    str(caught.value).encode()  # can be printed


def test_a_link_is_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link", "policy") == b"x"
    with pytest.raises(OutlapError, match="is a link, which is not followed"):
        read_bytes(tmp_path / "link", "policy", follow=False)
