//! The manual pages and shell completions of the package are those of the commands as they are.
//!
//! `STREAMPULSE_WRITE_PAGES=1 cargo test --test command_pages` writes them anew.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");

/// What the program's own page has beside its commands.
const MORE: &str = include_str!("../packaging/man-sections.roff");

/// File under `packaging/` and what belongs in it.
fn pages() -> BTreeMap<String, String> {
    let mut command = streampulse::cli::command();
    let mut pages = BTreeMap::new();
    for (shell, name) in
        [(Shell::Bash, "streampulse.bash"), (Shell::Fish, "streampulse.fish"), (Shell::Zsh, "_streampulse")]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command, "streampulse", &mut text);
        pages.insert(format!("completions/{name}"), String::from_utf8(text).expect("UTF-8"));
    }
    // There is no page for `help`, so none is named.
    let mut command = without_help(streampulse::cli::command());
    command.build();
    manual(&command, "streampulse", &mut pages);
    pages
}

fn without_help(command: Command) -> Command {
    command.mut_subcommands(without_help).disable_help_subcommand(true)
}

fn manual(command: &Command, name: &'static str, pages: &mut BTreeMap<String, String>) {
    // Without the version: the pages need not be made anew for a release.
    let page = clap_mangen::Man::new(command.clone().name(name).version(None::<&str>))
        .title(name)
        .date("")
        .source("StreamPulse")
        .manual("StreamPulse");
    let mut text = Vec::new();
    page.render(&mut text).expect("a page");
    let mut text = String::from_utf8(text).expect("UTF-8");
    if name == "streampulse" {
        text.push_str(MORE);
    }
    pages.insert(format!("man/{name}.1"), text);
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        // clap takes names that live as long as the program.
        manual(inner, format!("{name}-{}", inner.get_name()).leak(), pages);
    }
}

fn there() -> BTreeMap<String, String> {
    ["man", "completions"]
        .iter()
        .flat_map(|folder| {
            let files = std::fs::read_dir(Path::new(FOLDER).join(folder)).into_iter().flatten();
            files.map(move |file| {
                let file = file.expect("a file");
                let text = std::fs::read_to_string(file.path()).expect("text");
                (format!("{folder}/{}", file.file_name().to_string_lossy()), text)
            })
        })
        .collect()
}

#[test]
fn the_pages_are_those_of_the_commands() {
    let wanted = pages();
    if std::env::var_os("STREAMPULSE_WRITE_PAGES").is_some() {
        for folder in ["man", "completions"] {
            let folder = Path::new(FOLDER).join(folder);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).expect("a folder");
        }
        for (file, text) in &wanted {
            std::fs::write(Path::new(FOLDER).join(file), text).expect("written");
        }
    }
    let there = there();
    let differ: Vec<&String> =
        wanted.keys().chain(there.keys()).filter(|file| wanted.get(*file) != there.get(*file)).collect();
    assert!(
        differ.is_empty(),
        "packaging/{differ:?} is not what the commands say; write them with \
         STREAMPULSE_WRITE_PAGES=1 cargo test --test command_pages"
    );
}
