#!/usr/bin/env python3
"""Writes debian/changelog from CHANGELOG.md and the version in Cargo.toml.

usage: debian/changelog.py [--unreleased SUFFIX] [--date RFC2822] > debian/changelog

A section "## [1.2.0] - 2026-05-01" becomes an entry of its own. "## [Unreleased]" becomes the version of Cargo.toml with
SUFFIX behind a tilde, so that the release itself is newer, with the date that is given.
"""

import argparse
import email.utils
import datetime
import re
import sys
import textwrap
import tomllib

MAINTAINER = re.search(r"^Maintainer: (.*)$", open("debian/control", encoding="utf-8").read(), re.M).group(1)


def plain(markdown):
    """One line of text: links as their words, no emphasis."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"\s+", " ", text.replace("`", "'").replace("**", "").replace("*", "")).strip()


def sections(markdown):
    """(heading, [(group, [item])]) from the newest to the oldest."""
    for part in re.split(r"^## ", markdown, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        groups = []
        for line in body.splitlines():
            if line.startswith("### "):
                groups.append((line[4:].strip(), []))
            elif line.startswith("- "):
                if not groups:
                    groups.append((None, []))
                groups[-1][1].append(line[2:])
            elif line.startswith("  ") and groups and groups[-1][1]:
                groups[-1][1][-1] += " " + line.strip()
        yield heading.strip(), groups


def entry(version, date, groups):
    lines = [f"streampulse ({version}) {'UNRELEASED' if '~' in version else 'unstable'}; urgency=medium", ""]
    for name, items in groups:
        if name:
            lines += [f"  [ {name} ]"]
        for item in items:
            lines += textwrap.wrap(plain(item), 76, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False)
        lines += [""]
    return "\n".join(lines + [f" -- {MAINTAINER}  {date}", "", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unreleased", default="unreleased")
    parser.add_argument("--date", default=email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc)))
    options = parser.parse_args()
    version = tomllib.load(open("Cargo.toml", "rb"))["package"]["version"]
    written = 0
    for heading, groups in sections(open("CHANGELOG.md", encoding="utf-8").read()):
        if heading == "[Unreleased]":
            if groups:
                sys.stdout.write(entry(f"{version}~{options.unreleased}", options.date, groups))
                written += 1
            continue
        found = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4})-(\d\d)-(\d\d)", heading)
        if not found:
            sys.exit(f'CHANGELOG.md: "## {heading}" is neither "## [Unreleased]" nor "## [1.2.3] - 2026-05-01"')
        if written == 0 and found.group(1) != version:
            sys.exit(f"CHANGELOG.md begins with {found.group(1)}, but Cargo.toml says {version}")
        day = datetime.datetime(*map(int, found.groups()[1:]), 12, tzinfo=datetime.timezone.utc)
        sys.stdout.write(entry(found.group(1), email.utils.format_datetime(day), groups))
        written += 1
    if written == 0:
        sys.exit("CHANGELOG.md: no section with items")


main()
