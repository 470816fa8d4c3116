//! Holds the shape of the source tree: which module may use which, which module may name which crate, how long a file
//! may be. The reasons are on the crate's front page (`src/lib.rs`). What is under `#[cfg(test)]` is free.

#[path = "architecture/source.rs"]
mod source;

use std::fmt::Write;
use std::path::Path;

use source::{Source, UsedPath};

/// Top-level modules from the bottom to the top. A module uses the levels below its own, none beside or above.
const LEVELS: &[&[&str]] = &[
    &["model", "backoff", "clock"],
    &["config", "simulator"],
    &["probe", "schedule", "health", "store"],
    &["monitor", "preview"],
    &["web", "metrics", "sinks"],
    &["app"],
    &["cli"],
    &["main"],
];

/// Modules that may use less than their level allows: (module, all that it may use).
const ONLY: &[(&str, &[&str])] = &[
    // It plays cameras, which know nothing of us.
    ("simulator", &["model"]),
];

/// Uses beside the levels: (module, used module, names that are free). Each is a seam between two parts.
const SEAMS: &[(&str, &str, &[&str])] = &[
    // The scheduler is given whoever can probe; it knows no worker.
    ("schedule", "probe", &["Prober", "ProbeRequest", "Probed", "SnapshotSize"]),
];

/// Crates that one part of the tree owns: (crate, modules that may name it). A trailing `*` stands for any ending.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("warp", &["web"]),
    ("hyper", &["web", "sinks::notify"]),
    ("hyper_util", &["web", "sinks::notify"]),
    ("http_body_util", &["web", "sinks::notify"]),
    ("tower", &["web"]),
    ("tower_http", &["web"]),
    ("rust_embed", &["web"]),
    ("jsonwebtoken", &["web"]),
    ("argon2", &["web"]),
    ("gstreamer*", &["probe::pipeline"]),
    ("glib", &["probe::pipeline"]),
    ("gio", &["probe::pipeline"]),
    ("tokio_rustls", &["simulator", "web::tls", "sinks"]),
    ("seccompiler", &["probe::sandbox"]),
    ("landlock", &["probe::sandbox"]),
    ("libc", &["probe::sandbox"]),
    ("rumqttc", &["sinks::mqtt"]),
    ("tokio_tungstenite", &["sinks::mqtt"]),
    ("rustls_native_certs", &["sinks::tls"]),
    ("lettre", &["sinks::notify::mail"]),
    ("minijinja", &["config::template", "sinks::notify::form"]),
    ("hmac", &["sinks::notify::signature"]),
    ("saphyr_parser", &["config"]),
    ("yaml_serde", &["config"]),
    ("yaml_edit", &["config"]),
    ("clap", &["cli"]),
    ("tar", &["cli::backup"]),
    ("sd_notify", &["app"]),
];

/// Modules that take values and a time and touch nothing outside: (module, paths they may not name).
const PURE: &[&str] = &[
    "model",
    "health",
    "backoff",
    "config::edit::apply",
    "config::edit::mask",
    "config::edit::render",
    "config::edit::splice",
    "config::edit::syntax",
    "config::edit::unmask",
    "schedule::plan",
    "sinks::home_assistant",
    "sinks::notify::facts",
    "sinks::notify::form",
    "sinks::notify::message",
    "sinks::notify::plan",
    "sinks::notify::signature",
    "sinks::notify::told",
    "sinks::notify::words",
    "probe::certificate",
    "probe::classify",
    "probe::coded_size",
    "probe::look",
    "probe::network::route",
    "probe::picture",
    "probe::redirect",
    "store::import::plan",
    "store::import::time",
    "store::import::verdict",
    "store::import::walk",
];
const IMPURE_PATHS: &[&str] = &[
    "tokio",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::time::Instant::now",
    "std::time::SystemTime",
];

/// Lines of a file before its tests.
const MAX_LINES: usize = 400;

fn starts_with(path: &[String], prefix: &str) -> bool {
    let mut segments = path.iter();
    prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
}

fn level_of(module: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&module))
}

/// `None` when the use is allowed, else why it is not.
fn refuse_direction(from: &str, used: &UsedPath) -> Option<String> {
    let to = used.segments.get(1)?.as_str();
    let to_level = level_of(to)?;
    if from == to {
        return None;
    }
    let seam = SEAMS.iter().find(|(module, target, _)| *module == from && *target == to);
    if let Some((_, _, names)) = seam {
        let name = used.segments.get(2).map_or("", String::as_str);
        if names.contains(&name) {
            return None;
        }
        return Some(format!("{from} may use of {to} only {}", names.join(", ")));
    }
    if let Some((_, allowed)) = ONLY.iter().find(|(module, _)| *module == from) {
        return (!allowed.contains(&to)).then(|| format!("{from} may use only {}", allowed.join(", ")));
    }
    let from_level = level_of(from)?;
    (to_level >= from_level).then(|| {
        let below: Vec<_> = LEVELS[..from_level].iter().flat_map(|level| level.iter().copied()).collect();
        format!("{from} may use only what is below it ({})", below.join(", "))
    })
}

fn refuse_crate(module: &[String], used: &UsedPath) -> Option<String> {
    let name = used.segments.first()?;
    let (owned, owners) = OWNERS.iter().find(|(owned, _)| match owned.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == owned,
    })?;
    let owned = owned.trim_end_matches('*');
    (!owners.iter().any(|owner| starts_with(module, owner)))
        .then(|| format!("only {} names the crate {owned}", owners.join(", ")))
}

fn refuse_impure(module: &[String], used: &UsedPath) -> Option<String> {
    let pure = PURE.iter().find(|pure| starts_with(module, pure))?;
    let path = IMPURE_PATHS.iter().find(|path| starts_with(&used.segments, path))?;
    Some(format!("{pure} is pure, it takes values and a time: no {path}"))
}

/// Everything that is wrong with a file, one line each: `src/a.rs:12: what (why)`.
fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.path.ends_with("/mod.rs") {
        found.push(format!("{}: a module's own file is beside its folder (foo.rs and foo/), not mod.rs", source.path));
    }
    let lines = source.lines_before_tests();
    if lines > MAX_LINES {
        found.push(format!(
            "{}:{}: {lines} lines before the tests, at most {MAX_LINES}: split it by ideas",
            source.path,
            MAX_LINES + 1
        ));
    }
    let module = source.module();
    let top = module.first().map_or("lib", String::as_str);
    if top != "lib" && level_of(top).is_none() {
        found.push(format!(
            "{}: the module {top} is on no level: add it to LEVELS in tests/architecture.rs",
            source.path
        ));
    }
    for used in source.used_paths() {
        let mut refuse = |why: Option<String>| {
            if let Some(why) = why {
                found.push(format!("{}:{}: {} ({why})", source.path, used.line, used.segments.join("::")));
            }
        };
        if top != "lib" && used.segments[0] == "crate" {
            refuse(refuse_direction(top, &used));
        }
        refuse(refuse_crate(&module, &used));
        refuse(refuse_impure(&module, &used));
    }
    found.dedup();
    found
}

#[test]
fn the_source_tree_keeps_its_shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = Source::read_tree(root);
    assert!(sources.len() > 10, "found only {} files below {}", sources.len(), root.display());
    let used: usize = sources.iter().map(|source| source.used_paths().len()).sum();
    assert!(used > 100, "found only {used} paths in {} files: the reader is broken", sources.len());

    let mut report = String::new();
    for violation in sources.iter().flat_map(violations) {
        let _ = writeln!(report, "{violation}");
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_owner_and_level_names_something_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    let lib = std::fs::read_to_string(root.join("src/lib.rs")).expect("src/lib.rs");
    for line in lib.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = line.trim_end_matches(';');
        assert!(level_of(module).is_some(), "src/lib.rs declares {module}, LEVELS does not have it");
    }
    for crate_name in
        ["rusqlite", "warp", "hyper", "hyper-util", "gstreamer", "clap", "jsonwebtoken", "argon2", "rumqttc"]
    {
        assert!(manifest.contains(&format!("\n{crate_name} = ")), "OWNERS names {crate_name}, Cargo.toml does not");
    }
}

/// What one made-up file is told; the file is text, so this file's own paths do not count.
fn told(path: &str, text: &str) -> Vec<String> {
    violations(&Source { path: path.to_owned(), text: text.to_owned() })
}

#[test]
fn each_rule_finds_its_violation() {
    let cases = [
        ("src/config.rs", "use crate::web::Web;", "src/config.rs:1: crate::web::Web (config may use only"),
        (
            "src/model/stream.rs",
            "\nuse super::super::config;",
            "src/model/stream.rs:2: crate::config (model may use only",
        ),
        ("src/health.rs", "use crate::{model::Reason, store};", "src/health.rs:1: crate::store (health may use only"),
        (
            "src/probe/pool.rs",
            "fn f() { crate::schedule::x() }",
            "src/probe/pool.rs:1: crate::schedule::x (probe may use",
        ),
        (
            "src/web.rs",
            "use crate::{\n  monitor,\n  sinks::{mqtt},\n};",
            "src/web.rs:3: crate::sinks::mqtt (web may use",
        ),
        ("src/app.rs", "use crate::cli;", "src/app.rs:1: crate::cli (app may use only"),
        ("src/simulator/rtsp.rs", "use crate::clock::Clock;", "crate::clock::Clock (simulator may use only model)"),
        (
            "src/schedule.rs",
            "use crate::probe::pool::Pool;",
            "crate::probe::pool::Pool (schedule may use of probe only",
        ),
        (
            "src/web/status.rs",
            "use rusqlite::Connection;",
            "rusqlite::Connection (only store names the crate rusqlite)",
        ),
        ("src/web/status.rs", "fn f() { ::rusqlite::open() }", "rusqlite::open (only store names"),
        ("src/probe/pool.rs", "use gstreamer as gst;", "gstreamer (only probe::pipeline names the crate gstreamer)"),
        ("src/probe.rs", "use gstreamer_app::AppSink;", "gstreamer_app::AppSink (only probe::pipeline"),
        ("src/app.rs", "use warp::Filter;", "warp::Filter (only web names"),
        ("src/app.rs", "extern crate clap;", "clap (only cli names"),
        ("src/model.rs", "use tokio::sync::mpsc;", "tokio::sync::mpsc (model is pure"),
        ("src/probe/classify.rs", "fn f() { std::fs::read(p) }", "std::fs::read (probe::classify is pure"),
        ("src/web/mod.rs", "", "src/web/mod.rs: a module's own file"),
        ("src/strange.rs", "", "src/strange.rs: the module strange is on no level"),
    ];
    for (path, text, expected) in cases {
        let found = told(path, text);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{path}: {text:?}\n  expected: {expected}\n  told: {found:#?}"
        );
    }
    let long = "//\n".repeat(MAX_LINES + 1);
    assert_eq!(
        told("src/web.rs", &long),
        ["src/web.rs:401: 401 lines before the tests, at most 400: split it by ideas"]
    );
}

#[test]
fn what_is_allowed_is_not_reported() {
    let long_tests = format!("//\n#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(MAX_LINES));
    let cases = [
        ("src/web/status.rs", "use crate::{monitor::StatusTable, store::Store, model};\nuse warp::Filter;"),
        ("src/schedule/run.rs", "use super::plan::Plan;\nuse crate::probe::{Prober, Probed};"),
        ("src/probe/pipeline/rtsp.rs", "use gstreamer::prelude::*;"),
        ("src/config.rs", "// use crate::web;\n/* rusqlite::x /* nested */ */ const A: &str = \"crate::web::x\";"),
        ("src/config.rs", "const A: &str = r#\"a \" crate::web::x\"#; const Q: char = '\"'; fn f<'a>(x: &'a str) {}"),
        (
            "src/config.rs",
            "#[cfg(test)]\n#[allow(unused)]\nmod tests { use crate::web::Web; fn f() { { } } }\nfn g() {}",
        ),
        ("src/config.rs", "#[cfg(test)]\nuse crate::{web::Web};\n"),
        ("src/main.rs", "use streampulse::cli;"),
        ("src/web.rs", long_tests.as_str()),
    ];
    for (path, text) in cases {
        assert_eq!(told(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }
}
