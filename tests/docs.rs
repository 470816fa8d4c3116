//! The pages say what the program says, and their links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use streampulse::model::{PictureIssue, Reason};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The state that a reason leads to when it stays.
fn leads_to(reason: Reason) -> &'static str {
    match reason {
        Reason::Ok => "up",
        Reason::Busy => "unknown",
        reason if reason.is_ours() => "unknown",
        _ => "down",
    }
}

#[test]
fn troubleshooting_has_every_reason_in_the_programs_words() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page");
    let (_, after) = page.split_once("<!-- reasons:begin").expect("reasons:begin");
    let (table, _) = after.split_once("<!-- reasons:end -->").expect("reasons:end");
    let written: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();

    let expected: Vec<String> = Reason::ALL
        .iter()
        .map(|reason| {
            let next_step = reason.next_step().unwrap_or("—");
            format!("| `{reason}` | {} | {} | {next_step} |", leads_to(*reason), reason.sentence())
        })
        .collect();
    for (row, expected) in written.iter().zip(&expected) {
        assert_eq!(row, expected, "docs/troubleshooting.md differs from src/model/report.rs");
    }
    assert_eq!(written.len(), expected.len(), "docs/troubleshooting.md has too few or too many reasons");
}

#[test]
fn troubleshooting_has_every_picture_issue_in_the_programs_words() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page");
    let (_, after) = page.split_once("<!-- issues:begin").expect("issues:begin");
    let (table, _) = after.split_once("<!-- issues:end -->").expect("issues:end");
    let written: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |issue: &PictureIssue| format!("| `{issue}` | {} | {} |", issue.sentence(), issue.next_step());
    assert_eq!(written, PictureIssue::ALL.iter().map(row).collect::<Vec<_>>());
}

/// Every Markdown page of ours.
fn pages() -> Vec<PathBuf> {
    let mut folders = vec![root().join("docs")];
    let mut pages: Vec<PathBuf> = ["README.md", "CHANGELOG.md"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of docs") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            if !page.parent().expect("a folder").join(target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 5, "found only {links} links: the reader is broken");
    assert!(broken.is_empty(), "links to nothing:\n{}", broken.join("\n"));
}
