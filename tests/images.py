"""What a Dockerfile makes of this repository, without Docker: its instructions, and the files it copies."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Instruction:
    """``COPY --from=build a b/`` as word, options and text."""

    word: str
    options: tuple[str, ...]
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments, of the JSON form and of the plain one."""
        return json.loads(self.text) if self.text.startswith("[") else self.text.split()


def stages(path: Path) -> list[list[Instruction]]:
    """The instructions of every build stage, in order; the last one is the image."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    found: list[list[Instruction]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            options = re.match(r"(?:--\S+\s+)*", rest)[0]
            instruction = Instruction(word, tuple(options.split()), rest[len(options) :].strip())
            if word == "FROM":
                found.append([])
            found[-1].append(instruction)
    return found


def only(stage: list[Instruction], word: str) -> Instruction:
    """The one instruction of this word; Docker takes the last one, so there must be one."""
    (found,) = [each for each in stage if each.word == word]
    return found


def environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for each in stage if each.word == "ENV" for pair in each.words)


def health_command(stage: list[Instruction]) -> list[str]:
    return json.loads(only(stage, "HEALTHCHECK").text.removeprefix("CMD "))


def sent_files(root: Path = ROOT) -> list[PurePosixPath]:
    """Files that a build may copy: what ``.dockerignore`` leaves, below `root`."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    paths = [PurePosixPath(path.relative_to(root).as_posix()) for path in _files_below(root)]
    return sorted(path for path in paths if not is_ignored(path, patterns))


def _files_below(folder: Path) -> list[Path]:
    """Every file below, but not below what is large and always ignored."""
    found = []
    for path in folder.iterdir():
        if path.is_file():
            found.append(path)
        elif path.name not in (".git", ".venv", "node_modules") and not path.is_symlink():
            found += _files_below(path)
    return found


def is_ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    """The last pattern that matches the path or a folder above it decides; ``!`` takes it back."""
    ignored = False
    places = [path, *path.parents]
    for pattern in patterns:
        taken_back = pattern.startswith("!")
        shape = re.compile(_regex(pattern.removeprefix("!").rstrip("/")))
        if any(shape.fullmatch(place.as_posix()) for place in places):
            ignored = not taken_back
    return ignored


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part, re.escape(part)) for part in parts)


def copied(stage: list[Instruction]) -> dict[PurePosixPath, PurePosixPath]:
    """Path in the image, relative to its working folder -> path in the repository, of all that a stage copies."""
    files = sent_files()
    found: dict[PurePosixPath, PurePosixPath] = {}
    for each in stage:
        if each.word == "COPY" and not each.options:
            *sources, target = each.words
            for source in sources:
                mine = _taken(source, target, files)
                assert mine, f"COPY {source}: there is no such file to copy"
                found |= mine
    return found


def _taken(source: str, target: str, files: list[PurePosixPath]) -> dict[PurePosixPath, PurePosixPath]:
    """What one source of a COPY brings: a folder's content, or the files of a pattern."""
    folder = PurePosixPath(source)
    if (ROOT / folder).is_dir():
        inside = [file for file in files if folder in file.parents]
        return {PurePosixPath(target) / file.relative_to(folder): file for file in inside}
    shape = re.compile(_regex(source))
    return {PurePosixPath(target) / file.name: file for file in files if shape.fullmatch(file.as_posix())}


def lay_out(stage: list[Instruction], folder: Path) -> Path:
    """Copy into `folder` exactly what a stage copies into its working folder."""
    for there, here in copied(stage).items():
        (folder / there).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / here, folder / there)
    return folder
