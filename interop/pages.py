"""Copies the tables of the other scripts into the pages that show them, each between the line `<!-- table: NAME -->`
and the next `<!-- end -->`, with the date of the table. A table that was not made again stays as it is."""

import datetime
import os
import pathlib
import re
import sys

OUT = pathlib.Path(os.environ["FRAMEWIRE_OUT"])
DOCS = pathlib.Path(__file__).parent.parent / "docs"
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(match):
    start, name, end = match.groups()
    table = OUT / f"{name}.md"
    if not table.exists():
        print(f"{name}: not made again, left as it is")
        return match[0]
    day = datetime.date.fromtimestamp(table.stat().st_mtime)
    print(f"{name}: of {day}")
    return f"{start}{table.read_text().rstrip()}\n\nMade on {day}.\n{end}"


def main():
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        filled = PLACE.sub(fill, text)
        if text.count("<!-- table: ") != len(PLACE.findall(text)):
            sys.exit(f"{page.name}: a table does not end")
        if filled != text:
            page.write_text(filled)
            print(f"{page.name}: written")


main()
