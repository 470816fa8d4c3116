//! Writes a value as YAML that reads back as the same value, here and with other readers (`yes` is quoted).

use saphyr_parser::ScalarStyle;

use super::tree::Tree;

/// Where a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// By indentation.
    Block,
    /// Between brackets or braces.
    Flow,
}

/// True when the value is written on one line: between brackets everything, else what is no mapping and holds none.
pub(super) fn is_inline(tree: &Tree, around: Around) -> bool {
    match tree {
        _ if around == Around::Flow => true,
        Tree::Null | Tree::Text { .. } => true,
        Tree::List(items) => items.iter().all(|item| matches!(item, Tree::Null | Tree::Text { .. })),
        Tree::Map(entries) => entries.is_empty(),
    }
}

/// One line. `old` is how the text that it replaces was quoted.
pub(super) fn inline(tree: &Tree, around: Around, old: Option<ScalarStyle>) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Text { text, bare } => scalar(text, *bare, around, old),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, Around::Flow, None)).collect();
            format!("[{}]", items.join(", "))
        }
        Tree::Map(entries) => {
            let entry = |(key, value): &(String, Tree)| {
                format!("{}: {}", scalar(key, false, Around::Flow, None), inline(value, Around::Flow, None))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// `key: value`, in as many lines as it takes. The first has no indentation, the others that of `indent` and more.
pub(super) fn entry(key: &str, tree: &Tree, indent: usize) -> Vec<String> {
    let key = scalar(key, false, Around::Block, None);
    if is_inline(tree, Around::Block) {
        return vec![format!("{key}: {}", inline(tree, Around::Block, None))];
    }
    let mut lines = vec![format!("{key}:")];
    let deeper = " ".repeat(indent + 2);
    lines.extend(block(tree, indent + 2).into_iter().enumerate().map(|(i, line)| first_indented(i, line, &deeper)));
    lines
}

/// `- value`, in the same way.
pub(super) fn item(tree: &Tree, indent: usize) -> Vec<String> {
    if is_inline(tree, Around::Block) {
        return vec![format!("- {}", inline(tree, Around::Block, None))];
    }
    let mut lines = block(tree, indent + 2);
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, "- ");
    }
    lines
}

/// A mapping or list that is not written on one line, in the same way.
pub(super) fn block(tree: &Tree, indent: usize) -> Vec<String> {
    let parts: Vec<Vec<String>> = match tree {
        Tree::List(items) => items.iter().map(|value| item(value, indent)).collect(),
        Tree::Map(entries) => entries.iter().map(|(key, value)| entry(key, value, indent)).collect(),
        _ => vec![vec![inline(tree, Around::Block, None)]],
    };
    let indentation = " ".repeat(indent);
    let part = |(i, part): (usize, Vec<String>)| {
        let mut part = part;
        if i > 0
            && let Some(first) = part.first_mut()
        {
            first.insert_str(0, &indentation);
        }
        part
    };
    parts.into_iter().enumerate().flat_map(part).collect()
}

fn first_indented(i: usize, line: String, indentation: &str) -> String {
    if i == 0 { format!("{indentation}{line}") } else { line }
}

/// A text. Quoted as the old one was where that is possible, else only when it must be.
pub(super) fn scalar(text: &str, bare: bool, around: Around, old: Option<ScalarStyle>) -> String {
    let one_line = !text.chars().any(needs_escape);
    match old {
        Some(ScalarStyle::DoubleQuoted) => double_quoted(text),
        Some(ScalarStyle::SingleQuoted) if one_line => single_quoted(text),
        _ if is_plain(text, around) && (bare || !means_more(text)) => text.to_owned(),
        _ if one_line => single_quoted(text),
        _ => double_quoted(text),
    }
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => {
                let code = u32::from(c);
                out.push_str(&if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Control characters, line breaks of Unicode, and what nobody sees.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
}

/// Whether the text can stand without quotes (YAML 1.2 section 7.3.3, a little narrower).
fn is_plain(text: &str, around: Around) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let indicator = "-?:,[]{}#&*!|>'\"%@`=".contains(first) && !is_negative_number(text);
    let flow = |c: char| around == Around::Flow && ",[]{}".contains(c);
    !indicator
        && text.trim() == text
        && !text.chars().any(|c| needs_escape(c) || flow(c))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.starts_with("...")
        // A flow mapping may end a key at `:` before its separators, which are excluded, and nowhere else.
        && !(around == Around::Flow && text.contains(":\""))
}

fn is_negative_number(text: &str) -> bool {
    text.len() > 1 && text.starts_with('-') && text[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether some reader, of YAML 1.1 or 1.2, takes the text for something else than a text.
fn means_more(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<", ".nan"];
    let unsigned = lower.trim_start_matches(['+', '-']).replace('_', "");
    words.contains(&lower.as_str()) || unsigned == ".inf" || is_number(&unsigned) || is_date(&lower)
}

fn is_number(unsigned: &str) -> bool {
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if unsigned.strip_prefix(prefix).is_some_and(|rest| digits(rest, radix)) {
            return true;
        }
    }
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    // 12:30 is a number to the base of 60 in YAML 1.1.
    let sexagesimal = || {
        let mut parts = unsigned.split(':');
        parts.next().is_some_and(|first| digits(first, 10))
            && unsigned.contains(':')
            && parts.all(|part| digits(&part.replacen('.', "", 1), 10))
    };
    begins && (unsigned.parse::<f64>().is_ok() || sexagesimal())
}

fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>| part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    digits(parts.next())
        && digits(parts.next())
        && parts.next().is_some_and(|day| day.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_when_it_must_be() {
        for (text, written) in [
            ("gate", "gate"),
            ("Hof Süd", "Hof Süd"),
            ("rtsp://u:p@192.0.2.1/s", "rtsp://u:p@192.0.2.1/s"),
            ("192.0.2.10", "192.0.2.10"),
            ("0.0.0.0:6969", "0.0.0.0:6969"),
            ("yes", "'yes'"),
            ("~", "'~'"),
            ("", "''"),
            ("0123", "'0123'"),
            ("1_000", "'1_000'"),
            ("-5", "'-5'"),
            ("1e3", "'1e3'"),
            ("0x1F", "'0x1F'"),
            ("03:15", "'03:15'"),
            ("2026-12-01", "'2026-12-01'"),
            (".5", "'.5'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("it's", "it's"),
            ("'x", "'''x'"),
            ("*a", "'*a'"),
            ("@a", "'@a'"),
            ("- a", "'- a'"),
            (" a", "' a'"),
            ("a:", "'a:'"),
            ("a\nb", "\"a\\nb\""),
            ("a\t\"\\\u{2028}", "\"a\\t\\\"\\\\\\u2028\""),
            ("a, b", "a, b"),
        ] {
            assert_eq!(scalar(text, false, Around::Block, None), written);
        }
        assert_eq!(scalar("a, b", false, Around::Flow, None), "'a, b'");
        assert_eq!(scalar("-5", true, Around::Block, None), "-5");
        assert_eq!(scalar("x", false, Around::Block, Some(ScalarStyle::DoubleQuoted)), "\"x\"");
        assert_eq!(scalar("it's", false, Around::Block, Some(ScalarStyle::SingleQuoted)), "'it''s'");
        assert_eq!(scalar("a\nb", false, Around::Block, Some(ScalarStyle::SingleQuoted)), "\"a\\nb\"");
    }
}
