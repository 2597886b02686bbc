"""The project's own files: what builds take of them, by content; nothing outside the project.

Where to look:

- what a build takes, with its hash: hash_tree; reading it file by file: tree_reader, walk, hashes
- paths that a spec names: project_paths
- what is left out: ignore_files (which files say so), rules; their patterns: dockerignore, gitignore, globs, git_index
- what is said about disks and line ends: disk_notes
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
