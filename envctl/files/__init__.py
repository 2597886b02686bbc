"""The project's own files: which of them builds copy, and their content. Nothing outside the project is read.

Where to look:

- the files of a build, with their hashes: hash_tree; reading it file by file: tree_reader, walk, hashes
- paths that a spec names: project_paths
- excluded files: ignore_files (the files with the patterns), rules; their patterns: dockerignore, gitignore, globs, git_index
- notes about disks and line ends: disk_notes
"""

from envctl.files.hash_tree import HashedTree, hash_context, hash_copy, hash_file
from envctl.files.ignore_files import DOCKERIGNORE, ENVCTLIGNORE
from envctl.files.project_paths import located, problem, read_text, require_spelling
from envctl.files.tree_reader import MOST_BYTES, MOST_ENTRIES

__all__ = [
    "DOCKERIGNORE",
    "ENVCTLIGNORE",
    "MOST_BYTES",
    "MOST_ENTRIES",
    "HashedTree",
    "hash_context",
    "hash_copy",
    "hash_file",
    "located",
    "problem",
    "read_text",
    "require_spelling",
]
