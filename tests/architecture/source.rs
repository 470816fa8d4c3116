//! Reads Rust source as far as the rules need: comments and literals away, tests away, then the paths that are named.

use std::path::Path;

/// One file, its path relative to the repository.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// A path as it is named: `crate::store::Store`; `self` and `super` are resolved to `crate`.
#[derive(Debug, PartialEq, Eq)]
pub struct UsedPath {
    pub line: usize,
    pub segments: Vec<String>,
}

impl Source {
    /// Every `src/**/*.rs` that is not a file of tests only.
    pub fn read_tree(root: &Path) -> Vec<Self> {
        let mut sources = Vec::new();
        collect(root, &root.join("src"), &mut sources);
        let tests: Vec<String> = sources.iter().flat_map(Self::test_files).collect();
        // And the files below them.
        let is_test = |path: &str| {
            tests.iter().any(|test| path == test || path.starts_with(&format!("{}/", test.trim_end_matches(".rs"))))
        };
        sources.retain(|source| !is_test(&source.path));
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// `src/web/auth.rs` is `[web, auth]`, `src/lib.rs` is empty.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inner.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
    }

    /// Lines up to the first `#[cfg(test)]` at the start of a line.
    pub fn lines_before_tests(&self) -> usize {
        self.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
    }

    /// Files declared as `#[cfg(test)] mod name;`.
    fn test_files(&self) -> Vec<String> {
        let code = without_literals(&self.text);
        let folder = match self.module().as_slice() {
            [] => "src".to_owned(),
            module => format!("src/{}", module.join("/")),
        };
        test_items(&code)
            .into_iter()
            .filter_map(|(start, end)| {
                let item = code[start..end].trim_end().strip_suffix(';')?;
                let (before, name) = item.rsplit_once(char::is_whitespace)?;
                before.trim_end().ends_with("mod").then(|| format!("{folder}/{name}.rs"))
            })
            .collect()
    }

    /// Every path of two segments or more, and what `use` and `extern crate` name.
    pub fn used_paths(&self) -> Vec<UsedPath> {
        let mut code = without_literals(&self.text);
        for (start, end) in test_items(&code) {
            let blank: String = code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            code.replace_range(start..end, &blank);
        }
        let tokens = tokens(&code);
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let before = at.checked_sub(1).map_or("", |i| tokens[i].0);
            if is_name(tokens[at].0) && before != "." {
                let named = before == "use" || (before == "crate" && at >= 2 && tokens[at - 2].0 == "extern");
                let global = before == "::" && (at < 2 || !is_name(tokens[at - 2].0) && tokens[at - 2].0 != ">");
                if before != "::" || global {
                    at = read_path(&tokens, at, &[], named, &mut paths);
                    continue;
                }
            }
            at += 1;
        }
        let module = self.module();
        for path in &mut paths {
            resolve(&module, &mut path.segments);
        }
        paths
    }
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            sources.push(Source { path: relative, text });
        }
    }
}

/// `self::x` and `super::x` become `crate::…`.
fn resolve(module: &[String], segments: &mut Vec<String>) {
    let mut here = module.to_vec();
    let mut taken = 0;
    while let Some(segment) = segments.get(taken) {
        match segment.as_str() {
            "super" => {
                here.pop();
            }
            "self" => {}
            _ => break,
        }
        taken += 1;
    }
    if taken > 0 {
        segments.splice(..taken, std::iter::once("crate".to_owned()).chain(here));
    }
}

/// Reads a path, or a tree of `use`, that begins at a name or a brace; gives the place after it.
fn read_path(
    tokens: &[(&str, usize)],
    mut at: usize,
    prefix: &[String],
    named: bool,
    paths: &mut Vec<UsedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens[at].1;
    loop {
        match tokens.get(at).map(|token| token.0) {
            Some("{") => {
                at += 1;
                while let Some((token, _)) = tokens.get(at) {
                    match *token {
                        "}" => return at + 1,
                        "as" => at += 2,
                        token if is_name(token) || token == "{" => at = read_path(tokens, at, &segments, true, paths),
                        _ => at += 1,
                    }
                }
                return at;
            }
            Some(name) if is_name(name) => {
                // `use a::{self}` names a itself.
                if name != "self" || segments.is_empty() {
                    segments.push(name.trim_start_matches("r#").to_owned());
                }
                at += 1;
            }
            _ => {}
        }
        let more = tokens.get(at).is_some_and(|token| token.0 == "::")
            && tokens.get(at + 1).is_some_and(|token| is_name(token.0) || token.0 == "{");
        if !more {
            break;
        }
        at += 1;
    }
    if segments.len() > 1 || named {
        paths.push(UsedPath { line, segments });
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single characters, each with its line.
fn tokens(code: &str) -> Vec<(&str, usize)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphabetic() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            tokens.push((token, line));
        }
        rest = after;
    }
    tokens
}

/// Byte ranges of the items under `#[cfg(test)]`, attributes included.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(start) = code[from..].find("#[cfg(test)]").map(|found| from + found) {
        let (mut depth, mut end) = (0_i32, code.len());
        for (offset, c) in code[start..].char_indices() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';') || depth < 0 {
                end = start + offset + 1;
                break;
            }
        }
        items.push((start, end));
        from = end;
    }
    items
}

/// The same text with comments, strings and characters as blanks; lines stay where they are.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins here ends; `at` itself when none begins here.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let after_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (chars[at], next) {
        ('/', '/') => find(chars, at, |rest| rest[0] == '\n'),
        ('/', '*') => {
            let (mut depth, mut i) = (0, at);
            while i < chars.len() {
                match (chars[i], chars.get(i + 1)) {
                    ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
                    ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 {
                    return i;
                }
            }
            chars.len()
        }
        ('"', _) => quoted_end(chars, at, '"'),
        // A character, not a lifetime.
        ('\'', '\\') => quoted_end(chars, at, '\''),
        ('\'', _) if chars.get(at + 2) == Some(&'\'') => at + 3,
        ('r', '"' | '#') if !after_name || chars[at - 1] == 'b' => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + 1 + hashes) != Some(&'"') {
                return at;
            }
            let closes =
                |rest: &[char]| rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|c| *c == '#');
            (find(chars, at + 2 + hashes, closes) + 1 + hashes).min(chars.len())
        }
        _ => at,
    }
}

fn find(chars: &[char], from: usize, is_it: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|i| is_it(&chars[*i..])).unwrap_or(chars.len())
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}
