"""Pointers that Git LFS leaves in place of files that were not fetched.

A pointer is a small text file (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md), so a
table of texts would be read from it without complaint.
"""

BEGINNING = b"version https://git-lfs.github.com/spec/"


def is_pointer(data: bytes | str) -> bool:
    """Whether a file's content, or its beginning, is that of a pointer."""
    if isinstance(data, str):
        return data.startswith(BEGINNING.decode())
    return data.startswith(BEGINNING)


def refusal(name: str) -> str:
    """The sentence for a file that is a pointer.

    Args:
        name: the file, as the sentence calls it.
    """
    return (
        f"{name} is a Git LFS pointer, which stands for a file that was not fetched; fetch it with "
        "git lfs pull."
    )
