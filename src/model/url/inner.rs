//! Credentials that stand in the path or the query, in each way that cameras and their owners have of putting them
//! there: `?user=…&password=…`, Xiongmai's `/user=…&password=…&channel=1` and `/user=…_password=…_channel=1`, and a
//! whole address with credentials as a parameter (`?src=rtsp://user:password@…`), percent-encoded or not.

use std::ops::Range;

use super::authority::split_userinfo;
use super::percent_decode;
use crate::model::secret::{Credentials, REDACTED};

/// How often an address may stand percent-encoded in another.
const MAX_DEPTH: u8 = 3;

/// Longest key that is known, in bytes, and more.
const LONGEST_KEY: usize = 32;

/// What a path and query hold that nobody may see.
#[derive(Default)]
pub(super) struct Inner {
    /// As it may be shown.
    pub(super) shown: String,
    /// Every value that looks like a secret, as written and decoded.
    pub(super) secrets: Vec<String>,
    /// User and password of the camera itself; the user is empty when only a password or token is given.
    pub(super) account: Option<Credentials>,
    /// Where those values stand; an encoded address that holds one is in it as a whole.
    pub(super) places: Vec<Range<usize>>,
    /// Accounts of addresses in it.
    pub(super) others: Vec<Credentials>,
}

impl Inner {
    /// Looks for all of it.
    pub(super) fn of(path_and_query: &str) -> Self {
        Self::look(path_and_query, 0)
    }

    fn look(text: &str, depth: u8) -> Self {
        let mut inner = Self::default();
        let user = parameters(text).find(|p| is_user(&p.key)).map(|p| percent_decode(p.value));
        let (mut password, mut other_secret) = (None, None);
        let mut from = 0;
        while from < text.len() {
            let parameter = Parameter::at(text, from);
            let (start, end) = (parameter.start, parameter.end);
            let Parameter { key, value, .. } = parameter;
            let is_password = is_password(&key) || (key == "p" && user.is_some());
            if (is_password || is_secret(&key)) && !value.is_empty() {
                let place = if is_password { &mut password } else { &mut other_secret };
                place.get_or_insert_with(|| percent_decode(value));
                inner.hide(value);
                inner.places.push(start..end);
                inner.shown.push_str(&text[from..start]);
                inner.shown.push_str(REDACTED);
            } else if let Some(at) = text[start..end].find("://") {
                from = inner.step_into(text, from, start + at);
                continue;
            } else if inner.decode(&text[from..start], value, depth) {
                inner.places.push(start..end);
            } else {
                inner.shown.push_str(&text[from..end]);
            }
            from = end;
        }
        let secret = password.or(other_secret);
        inner.account = secret.map(|secret| Credentials::new(user.unwrap_or_default(), secret));
        inner
    }

    /// An address as it is, with `://` there: its credentials may hold every separator. Gives the place behind them.
    fn step_into(&mut self, text: &str, from: usize, colon: usize) -> usize {
        let begin = colon + "://".len();
        let http = ["http", "https"].iter().any(|scheme| text[..colon].to_ascii_lowercase().ends_with(scheme));
        let rest = &text[begin..];
        self.shown.push_str(&text[from..begin]);
        let Some(userinfo) = split_userinfo(http, rest).0 else { return begin };
        // Two readings where the password holds a slash; neither's may be seen.
        let strict = &rest[..rest.find(['/', '?', '#', '&']).unwrap_or(rest.len())];
        for info in [Some(userinfo), strict.rsplit_once('@').map(|(info, _)| info)].into_iter().flatten() {
            let (user, password) = info.split_once(':').unwrap_or(("", info));
            self.hide(password);
            self.others.push(Credentials::new(percent_decode(user), percent_decode(password)));
        }
        let mut hidden = begin;
        if let Some((user, _)) = userinfo.split_once(':') {
            self.shown.push_str(user);
            self.shown.push(':');
            hidden += user.len() + 1;
        }
        self.shown.push_str(REDACTED);
        self.places.push(hidden..begin + userinfo.len());
        begin + userinfo.len()
    }

    /// An address that is percent-encoded is shown decoded, and only when it holds what nobody may see.
    fn decode(&mut self, before: &str, value: &str, depth: u8) -> bool {
        let decoded = if value.contains('%') { percent_decode(value) } else { return false };
        if depth == MAX_DEPTH || decoded == value {
            return false;
        }
        let within = Self::look(&decoded, depth + 1);
        if within.secrets.is_empty() {
            return false;
        }
        self.shown.push_str(before);
        self.shown.extend(within.shown.chars().map(|c| if c.is_control() { ' ' } else { c }));
        self.secrets.extend(within.secrets);
        self.others.extend(within.others.into_iter().chain(within.account));
        true
    }

    fn hide(&mut self, value: &str) {
        if !value.is_empty() {
            self.secrets.extend([value.to_owned(), percent_decode(value)]);
        }
    }
}

/// `key=value`, or a piece of the path, up to the next separator.
struct Parameter<'a> {
    /// In lower case and decoded; empty for a piece of the path.
    key: String,
    value: &'a str,
    /// Where the value begins.
    start: usize,
    end: usize,
}

impl<'a> Parameter<'a> {
    fn at(text: &'a str, from: usize) -> Self {
        let end = end_of(text, from);
        match text[from..end].find('=') {
            Some(equals) => {
                let start = from + equals + 1;
                let key = text[from..start - 1].rsplit(['/', '?', '#', '&', ';', ',']).next().unwrap_or_default();
                Self { key: percent_decode(key).to_ascii_lowercase(), value: &text[start..end], start, end }
            }
            None => Self { key: String::new(), value: &text[from..end], start: from, end },
        }
    }
}

fn parameters(text: &str) -> impl Iterator<Item = Parameter<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let parameter = (from < text.len()).then(|| Parameter::at(text, from))?;
        from = parameter.end;
        Some(parameter)
    })
}

/// Where the parameter ends that begins here. A password in the path may hold `_ / ; ,` and a later `?`, so these end it
/// only where another parameter that is known begins.
fn end_of(text: &str, from: usize) -> usize {
    let query = text.find('?');
    let ends = |(at, c): &(usize, char)| {
        let next = || {
            let rest = &text.as_bytes()[at + 1..];
            let word = rest.iter().take(LONGEST_KEY).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            let word = (rest.get(word) == Some(&b'=')).then(|| &rest[..word])?;
            Some(String::from_utf8_lossy(word).to_ascii_lowercase())
        };
        match c {
            '&' => true,
            '?' if query == Some(*at) => true,
            '/' | '?' | ';' | ',' | '#' => next().is_some_and(|word| is_user(&word) || is_secret(&word)),
            '_' | '-' => next().is_some_and(|word| BESIDE.contains(&word.as_str())),
            _ => false,
        }
    };
    text[from..].char_indices().skip(1).map(|(i, c)| (from + i, c)).find(ends).map_or(text.len(), |(at, _)| at)
}

/// What follows a parameter that ends with an underscore (Xiongmai).
const BESIDE: [&str; 11] =
    ["user", "username", "password", "passwd", "pass", "pwd", "token", "secret", "channel", "stream", "subtype"];

fn is_user(key: &str) -> bool {
    ["user", "username", "usr", "usrname", "u", "login", "loginuse", "loginname", "account"].contains(&key)
}

/// Names under which cameras take passwords (Reolink `password`, Foscam `pwd` and `loginpas`, …).
fn is_password(key: &str) -> bool {
    ["pass", "pwd", "pw", "psw", "passcode", "loginpas", "loginpass"].contains(&key)
        || ["password", "passwd", "passwort", "_pass", "_pwd"].iter().any(|end| key.ends_with(end))
}

/// Those, and names of tokens and keys (Amcrest `token`, …).
fn is_secret(key: &str) -> bool {
    is_password(key)
        || ["auth", "authorization", "key", "api_key", "accesskey", "access_key", "jwt", "sig", "signature"]
            .contains(&key)
        || ["token", "secret", "apikey"].iter().any(|end| key.ends_with(end))
}
