"""Every fenced block of the pages is run or compared by some test; this file tells by which, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import pytest

from tests.pages import PAGES, ROOT

RUN_BY = {
    "sh": [
        "tests/test_commands.py: test_no_command_is_left_out",
        "tests/test_docs_api.py: test_curl_itself_is_answered",
    ],
    "python": [
        "tests/test_docs.py: test_python_blocks_print_what_stands_below_them",
        "tests/test_guides.py: world",
        "tests/test_guides.py: test_the_program_of_the_readme_scans_and_reads_what_it_kept",
        "tests/test_guides.py: test_the_full_scan_of_the_readme_ranks_an_exchange",
        "tests/examples/test_programs.py: test_the_programs_of_the_page_run",
    ],
    "sql": ["tests/test_guides.py: test_sql_blocks_answer_as_pandas_does"],
    "ts": ["server/test/guide.test.ts: exampleProgram"],
    "tsx": ["server/test/guide.test.ts: component"],
    "json": [
        "tests/test_docs_api.py: test_every_block_of_json_is_compared",
        "tests/test_docs.py: test_the_default_timeframes_are_told",
    ],
    "toml": ["tests/test_docs.py: test_data_blocks_parse"],
}
TOLD = {  # texts that no block above them prints, by how they begin
    "http://localhost:5000,": "tests/test_docs.py: test_every_environment_variable_is_in_the_table",
    "BTC/USDT, ETH/USDT,": "tests/test_docs.py: test_ids_symbols_and_types_are_told",
    "state/\n": "tests/test_docs.py: test_the_state_folder_is_told",
    "training_data/\n": "tests/test_docs.py: test_the_training_data_folder_is_told",
}
NOT_RUN = {  # blocks without a language, by page
    "ARCHITECTURE.md": ["a drawing"],
    "CONTINUOUS_SCANNER_GUIDE.md": ["a drawing", "a formula, which the block below it works out"],
    "FORMULAS.md": ["a formula, which the block below it works out"] * 3,
}


class Block(NamedTuple):
    page: str
    language: str
    text: str
    printed: bool  # whether it stands below a Python block, as what that prints


def all_blocks() -> Iterator[Block]:
    for page, text in PAGES.items():
        end, language = -2, ""
        for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$\n?", text, re.MULTILINE | re.DOTALL):
            printed = found[1] == "text" and language == "python" and text[end : found.start()] == "\n"
            end, language = found.end(), found[1]
            yield Block(page, found[1], found[2], printed)


def test_every_fence_belongs_to_a_block() -> None:
    fences = sum(len(re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE)) for text in PAGES.values())
    assert fences == 2 * len([*all_blocks()]) > 200


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_compared_or_excused(page: str) -> None:
    own = [block for block in all_blocks() if block.page == page]
    assert len([block for block in own if not block.language]) == len(NOT_RUN.get(page, []))
    for block in own:
        told = block.printed or any(block.text.startswith(start) for start in TOLD)
        assert not block.language or block.language in RUN_BY or (block.language == "text" and told), block


def test_those_who_run_blocks_exist() -> None:
    for place in {*chain(*RUN_BY.values()), *TOLD.values()}:
        file, _, name = place.partition(": ")
        assert re.search(rf"^(?:async )?(?:def|function) {name}\(", (ROOT / file).read_text(), re.MULTILINE), place


def test_nothing_is_listed_that_is_on_no_page() -> None:
    texts, languages = zip(*((block.text, block.language) for block in all_blocks()), strict=True)
    assert set(RUN_BY) | {"", "text"} == set(languages)
    assert all(any(text.startswith(start) for text in texts) for start in TOLD)
    assert set(NOT_RUN) <= set(PAGES)
