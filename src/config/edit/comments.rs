//! Secrets in comments: a camera that was commented out keeps its password there.

use std::ops::Range;

use super::mask::{is_secret_key, with_marks};
use crate::model::secret::REDACTED;
use crate::model::url::SecretPlaces;

/// A comment, or a line of a file that is no YAML, as it may be shown.
pub(super) fn masked(line: &str) -> String {
    let body = line.trim_end();
    let mut places = values(body);
    places.extend(addresses(body));
    places.sort_by_key(|place| (place.start, place.end));
    with_marks(body, &united(places)) + &line[body.len()..]
}

/// Each comment of a file as it may be shown. A secret that was commented out may go on over lines that are indented more.
pub(super) fn shown(text: &str, comments: &[Range<usize>]) -> Vec<String> {
    // Where the comment before ended, and the column of the key whose value is not over.
    let mut open: Option<(usize, usize)> = None;
    let mut show = |range: &Range<usize>| {
        let comment = &text[range.clone()];
        let body = comment.trim_end();
        let content = body.len() - body.trim_start_matches(['#', ' ', '\t']).len();
        let line = text[..range.start].rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let column = |offset: usize| range.start - line + offset;
        let goes_on = open.filter(|(end, key)| {
            let between = &text[*end..range.start];
            between.matches('\n').count() == 1
                && between.trim().is_empty()
                && content < body.len()
                && column(content) > *key
        });
        if let Some((_, key)) = goes_on {
            open = Some((range.end, key));
            return format!("{}{REDACTED}{}", &body[..content], &comment[body.len()..]);
        }
        open = unfinished(body).map(|start| (range.end, column(start)));
        masked(comment)
    };
    comments.iter().map(&mut show).collect()
}

/// Where the secret key begins whose value is not over at the end of the line.
fn unfinished(body: &str) -> Option<usize> {
    let (start, at, is_colon) = secret_keys(body).last()?;
    let value = body[at + 1..].trim();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let is_open_quote = quote.is_some_and(|quote| value[1..].find(quote).is_none());
    (is_colon && (value.is_empty() || value.starts_with(['|', '>', '#']) || is_open_quote)).then_some(start)
}

/// Every line of a text that is no YAML. What is indented more than a secret key belongs to its value.
pub(super) fn masked_lines(text: &str) -> String {
    let mut secret_column = None;
    let mut line_of = |line: &str| {
        let body = line.trim_end();
        let indent = body.len() - body.trim_start().len();
        if body.len() > indent && secret_column.is_some_and(|column| indent > column) {
            return format!("{}{REDACTED}{}", &body[..indent], &line[body.len()..]);
        }
        if body.len() > indent {
            secret_column = secret_keys(body).next().map(|(start, ..)| start);
        }
        masked(line)
    };
    text.split_inclusive(['\n', '\r']).map(&mut line_of).collect()
}

/// Pieces that overlap become one.
fn united(places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut united: Vec<Range<usize>> = Vec::new();
    for place in places {
        match united.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => united.push(place),
        }
    }
    united
}

/// Keys whose value is a secret: where the key begins, where its sign is, and whether that is a colon.
fn secret_keys(text: &str) -> impl Iterator<Item = (usize, usize, bool)> {
    text.match_indices([':', '=']).filter_map(|(at, sign)| {
        let before = text[..at].trim_end_matches([' ', '\t', '"', '\'']);
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let length: usize = before.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
        let start = before.len() - length;
        let after = &text[at + 1..];
        let is_colon = sign == ":" && (after.is_empty() || after.starts_with([' ', '\t', '"', '\'']));
        (is_secret_key(&before[start..]) && (is_colon || sign == "=")).then_some((start, at, is_colon))
    })
}

/// What follows `password:`, `"password":` and `password=`.
fn values(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (_, at, is_colon) in secret_keys(text) {
        let after = &text[at + 1..];
        let start = at + 1 + (after.len() - after.trim_start().len());
        let end = end_of_value(text, start, is_colon);
        let is_nothing = matches!(text[start..end].trim_matches(['"', '\'', ' ']), "" | "null" | "~" | REDACTED);
        if !is_nothing {
            places.push(inside_quotes(text, start..end));
        }
    }
    places
}

fn end_of_value(text: &str, start: usize, is_colon: bool) -> usize {
    let value = &text[start..];
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote {
        // Up to the quote before a comment, or the last one: a doubled one is within.
        let closing = value[1..].find(&format!("{quote} ")).or_else(|| value[1..].rfind(quote));
        return closing.map_or(text.len(), |closing| start + closing + 2);
    }
    let end = if is_colon { value.find(" #") } else { value.find(char::is_whitespace) };
    end.map_or(text.len(), |end| start + end)
}

/// Without the quotes around it, which stay.
fn inside_quotes(text: &str, range: Range<usize>) -> Range<usize> {
    let value = &text[range.clone()];
    let quoted = ['"', '\''].iter().any(|q| value.len() > 2 && value.starts_with(*q) && value.ends_with(*q));
    if quoted { range.start + 1..range.end - 1 } else { range.start..range.start + value.trim_end().len() }
}

/// Passwords in addresses, with a scheme or as `user:password@host`.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut add = |start: usize, end: usize| {
        let found = SecretPlaces::of(&text[start..end]);
        places.extend(found.all().map(|place| place.start + start..place.end + start).filter(|p| !p.is_empty()));
        places.extend(tokens(&text[start..end]).map(|place| place.start + start..place.end + start));
    };
    let mut from = 0;
    while let Some(colon) = text[from..].find("://").map(|at| from + at) {
        let scheme =
            text[from..colon].bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let start = colon - scheme;
        let quote = text[..start].chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let quoted = quote.and_then(|quote| text[start..].find(quote));
        let end = quoted.or_else(|| text[start..].find(char::is_whitespace)).map_or(text.len(), |end| start + end);
        add(start, end);
        from = end.max(colon + 3);
    }
    let mut from = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let body = word.trim_end();
        if !body.contains("://") && body.find(':').is_some_and(|colon| body[colon..].contains('@')) {
            add(from, from + body.len());
        }
        from += word.len();
    }
    places
}

/// Parts of the path of a web address that look like the secret of a webhook, for here nobody knows whose address it is.
fn tokens(address: &str) -> impl Iterator<Item = Range<usize>> {
    const LEAST: usize = 20;
    let is_web = address.starts_with("http://") || address.starts_with("https://");
    let path = address.match_indices('/').nth(2).map_or(address.len(), |(at, _)| at);
    let is_token = |part: &str| {
        part.len() >= LEAST
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    let parts = address[path..].split(['/', '?', '&', '=', '"', '\'']);
    parts.filter(move |part| is_web && is_token(part)).map(move |part| {
        let start = part.as_ptr() as usize - address.as_ptr() as usize;
        start..start + part.len()
    })
}

/// The comments of `new` that are as they were shown get what was hidden in them back. `old` are those of before: as they
/// were shown, and as they are.
pub(super) fn restored<'a>(old: impl Iterator<Item = (String, &'a str)>, new: &[&str]) -> Vec<Option<String>> {
    let mut hidden: Vec<(String, Option<&str>)> =
        old.filter(|(shown, comment)| shown != comment).map(|(shown, comment)| (shown, Some(comment))).collect();
    new.iter()
        .map(|comment| {
            let found = hidden.iter_mut().find(|(shown, original)| shown == comment && original.is_some())?;
            found.1.take().map(str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_goes_on_over_lines_is_hidden_to_its_end() {
        let text = "a: 1\n# password:\n#   hunter2\n#   hunter3\n# name: x\n  # password: |\n  #   hunter4\n\n  #   y\n\
                    # token: 'hun\n#    ter5'\n# password: abc\n#   not of it\n";
        let comments: Vec<Range<usize>> = text
            .match_indices('#')
            .filter(|(at, _)| text[..*at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty()))
            .map(|(at, _)| at..at + text[at..].find('\n').unwrap())
            .collect();
        let shown = shown(text, &comments);
        assert_eq!(
            shown,
            [
                "# password:",
                "#   ***",
                "#   ***",
                "# name: x",
                "# password: ***",
                "#   ***",
                "#   y",
                "# token: ***",
                "#    ***",
                "# password: ***",
                "#   not of it",
            ]
        );
    }

    #[test]
    fn secrets_in_comments_are_hidden() {
        for (comment, shown) in [
            ("# seconds between two probes", "# seconds between two probes"),
            (
                "# url: rtsp://user:password@192.0.2.10:554/stream1    # rtsp",
                "# url: rtsp://user:***@192.0.2.10:554/stream1    # rtsp",
            ),
            ("#    password: 'p@ss/word#1'      # in quotes", "#    password: '***'      # in quotes"),
            ("# password: \"it #1\" # x", "# password: \"***\" # x"),
            ("#password: hunter2", "#password: ***"),
            ("#password: hunter2 # it", "#password: *** # it"),
            ("# - {name: x, password: hun, ter2}", "# - {name: x, password: ***"),
            ("# \"token\": \"abc\"", "# \"token\": \"***\""),
            ("# pwd=abc x", "# pwd=*** x"),
            ("# token: null", "# token: null"),
            ("# key_file: /etc/x.pem", "# key_file: /etc/x.pem"),
            ("# was 'rtsp://u:p w@h/x' before", "# was 'rtsp://u:***@h/x' before"),
            ("# admin:hunter2@192.0.2.1", "# admin:***@192.0.2.1"),
            ("# http://cam/a?user=u&password=x&y=1 http://h", "# http://cam/a?user=u&password=*** http://h"),
            ("# mail: a@example.org", "# mail: a@example.org"),
            (
                "# url: https://hooks.slack.com/services/T012/B345/a1B2c3D4e5F6a1B2c3D4e5F6 # x",
                "# url: https://hooks.slack.com/services/T012/B345/*** # x",
            ),
            ("# http://cam/cgi-bin/mjpg/video.cgi", "# http://cam/cgi-bin/mjpg/video.cgi"),
        ] {
            assert_eq!(masked(comment), shown);
            assert_eq!(masked(shown), shown, "again");
        }
        assert_eq!(masked("# password: x\r\n"), "# password: ***\r\n");
    }

    #[test]
    fn comments_get_back_what_was_hidden() {
        let old = ["# a", "# password: x", "# password: y", "# password: z"];
        let new = ["# password: ***", "# a", "# password: *** changed", "# password: ***"];
        let back = restored(old.iter().map(|comment| (masked(comment), *comment)), &new);
        assert_eq!(back, [Some("# password: x".to_owned()), None, None, Some("# password: y".to_owned())]);
    }
}
