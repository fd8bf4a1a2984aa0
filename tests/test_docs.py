"""README.md and docs/: where links lead, how pages begin, and what they say of the tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from machinectl.cli.catalogue import ALL
from tests.support.fleet_file import parsed
from tests.support.pages import DOCS, PAGES, README, REFERENCE, ROOT, anchors, blocks, prose
from tests.support.sources import VALUE, modules, texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = "https://github.com/machinectl/machinectl/blob/main/"
RAW = "https://raw.githubusercontent.com/machinectl/machinectl/main/"
# Letters that make a text of the source known again.
SHORTEST = 10
# Paths, what hosts and files say, counts and addresses, which are composed.
OTHERS = re.compile(
    r"/(home/me|run/user)/\S*\"?$|^orionbox \| |^\w+: sent \S+ of "
    r"|^(fleet|driver|url|labels|tls-san|generic-[a-z-]+): |^labels \+"
    r"|^Nodes: |^(Plan|Apply|Swarm)\b.*: \d+ |^[\d.]+:\d+ -> "
)
WRITTEN = [page for page in PAGES if page not in {README, REFERENCE}]


def links(page: Path) -> list[str]:
    text = re.sub(r"`[^`]*`", "", prose(page))
    places = dict(re.findall(r"^\[([^]]+)\]: (\S+)$", text, re.MULTILINE))
    assert places.keys() == {name.lower() for name in re.findall(r"\[([^\]\[]+)\](?![\[(:])", text)}
    return [*re.findall(r"\]\(([^)]*)\)", text), *places.values()]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if page != REFERENCE], ids=named)
def test_each_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        place, _, anchor = link.partition("#")
        ours = [place.removeprefix(start) for start in (SOURCES, RAW) if place.startswith(start)]
        if not ours and place.startswith("https://"):
            continue
        # PyPI shows README.md, too: a link from there is a whole one.
        assert ours or page != README, link
        target = ROOT / ours[0] if ours else page.parent / place if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.read_text().splitlines()) <= 150
    led_to = {link.partition("#")[0].rpartition("/docs/")[2] for link in links(README)}
    # Parts of a subject, to which its first page leads, and what is not in the repository.
    found = {page.name for page in DOCS.glob("*.md")} - led_to
    assert found == {"access-for-tools.md", "fleet-file.md", "writing-a-driver.md", REFERENCE.name}
    assert "fleet-file.md" in links(DOCS / "fleet.md")
    assert "writing-a-driver.md" in links(DOCS / "drivers.md")


def test_the_site_has_every_page() -> None:
    pages = re.findall(r"([a-z-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in DOCS.glob("*.md"))


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_each_page_begins_with_what_it_is_for_and_a_command(page: Path) -> None:
    title, purpose, block, *_ = page.read_text().split("\n\n")
    assert title.startswith("# ")
    assert re.match(r"[A-Z`]", purpose)
    assert page.read_text().count("\n# ", 0, page.read_text().find("```")) == 0
    assert block.startswith(("```console\n", "```toml\n"))


def printed(page: Path) -> Iterator[str]:
    """Yield the lines that a page says machinectl prints, without tables and times."""
    for block in blocks(page, "console"):
        ours = False
        for line in block.splitlines():
            if prompt := re.match(r"\w*[$#] ", line):
                ours = line.startswith(("machinectl ", "docker machine "), prompt.end())
            elif ours and len(re.findall(r"\w{2,}", line)) > 2 and not re.search(r"\S {2,}\S", line.strip()):
                yield re.sub(r" \([0-9.]+ s\)$", "", line.strip())


def messages() -> list[re.Pattern[str]]:
    """Return what can be printed: each line of a text in the source, with anything for its values."""
    lines = {line.strip() for module in modules() for _, text in texts(module) for line in text.splitlines()}
    return [
        re.compile(".*".join(map(re.escape, line.split(VALUE))))
        for line in lines
        if len(line.replace(VALUE, "")) >= SHORTEST and " " in line
    ]


def test_each_line_that_a_page_shows_is_one_that_the_program_prints() -> None:
    known = messages()
    shown = [(named(page), line) for page in WRITTEN for line in printed(page) if not OTHERS.search(line)]
    assert len(shown) > 20
    # A command can be on a line of its own, below `Do it: `.
    assert [each for each in shown if not any(message.search(f"{each[1]} ") for message in known)] == []


def test_the_page_on_json_has_a_row_for_each_verb_that_prints_it() -> None:
    page = (DOCS / "json.md").read_text()
    printing = {
        name for name, verb in ALL.items() if not verb.hidden and any(flag.name == "json" for flag in verb.flags)
    }
    assert {name for name in printing if not re.search(rf"`{name}( [^`]*)?`", page)} == set()


def test_the_fleet_files_that_the_docs_show_are_right() -> None:
    shown = [text for page in WRITTEN for text in blocks(page, "yaml")]
    assert len(shown) >= 2
    for text in shown:
        hosts = yaml.safe_load(text)["hosts"]
        driver = "" if "defaults:" in text else "defaults: {driver: generic}\n"
        assert len(parsed(driver + text).hosts) >= len(hosts)


def test_how_it_works_names_each_package() -> None:
    text = (DOCS / "how-it-works.md").read_text()
    packages = {f"machinectl/{path.parent.name}" for path in (ROOT / "machinectl").glob("*/__init__.py")}
    assert set(re.findall(r"`(machinectl/[a-z_]+)`", text)) == packages


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-it-works.md"])
def test_each_file_that_contributors_are_sent_to_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    # Names of what they are going to add.
    new = re.compile(r"FAMILY|NAME|frob")
    places = set(re.findall(r"`((?:machinectl|tests|drivers|examples)/[\w/.-]+)`", text))
    assert [place for place in sorted(places) if not new.search(place) and not (ROOT / place).exists()] == []
