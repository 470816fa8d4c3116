//! Which table of the original is which stream of ours.

use std::collections::HashSet;

use crate::model::StreamId;

/// Where the rows of one table go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The table.
    pub log: String,
    /// The original's names of the streams that wrote into it: none when it forgot them, several when they shared it.
    pub names: Vec<String>,
    /// Our stream.
    pub id: StreamId,
    /// It is a stream of the configuration, so its history shows at once.
    pub configured: bool,
}

/// Gives every table a stream. `names`: the original's streams; `streams`: ours, by name. A table keeps its id as long as
/// names, configuration and the order of the tables stay, so give them in the order in which they were made.
///
/// Rows of names that share a table cannot be told apart: they go under an id of their own, never into the history of a
/// configured stream.
pub(super) fn plan(logs: &[String], names: &[String], streams: &[(String, StreamId)]) -> (Vec<Target>, Vec<String>) {
    let mut owners: Vec<Vec<String>> = vec![Vec::new(); logs.len()];
    let mut without_log = Vec::new();
    for name in names {
        let fitting = logs.iter().enumerate().filter_map(|(index, log)| Some((replaced(name, log)?, index)));
        match fitting.min() {
            Some((_, index)) => owners[index].push(name.clone()),
            None => without_log.push(name.clone()),
        }
    }
    let configured = |name: &str| streams.iter().find(|(known, _)| known == name).map(|(_, id)| id.clone());
    let mut taken: HashSet<StreamId> = streams.iter().map(|(_, id)| id.clone()).collect();
    let mut targets = Vec::with_capacity(logs.len());
    for (log, names) in logs.iter().zip(owners) {
        let suffix = log.get(PREFIX.len()..).unwrap_or_default();
        let name = match names.as_slice() {
            [] => Some(suffix),
            [name] => Some(name.as_str()),
            _ => None,
        };
        let known = name.and_then(configured);
        let id = known.clone().unwrap_or_else(|| free(&StreamId::from_name(name.unwrap_or(suffix)), &taken));
        taken.insert(id.clone());
        targets.push(Target { log: log.clone(), names, id, configured: known.is_some() });
    }
    (targets, without_log)
}

/// What the name of every table of rows begins with.
pub(super) const PREFIX: &str = "log_";

/// True for the name of a table of rows; SQLite's names are case-insensitive.
pub(super) fn is_log(table: &str) -> bool {
    table.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn free(made: &StreamId, taken: &HashSet<StreamId>) -> StreamId {
    let numbered = (2..).map(|number| made.numbered(number));
    std::iter::once(made.clone()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or_else(|| made.clone())
}

/// How many letters beyond ASCII the table has as `_`, when the original would have called a stream's table so: every
/// character but letters, digits and `_` becomes `_`, and `t_` stands before what does not begin with a letter.
///
/// Which characters are letters, Python's version of Unicode decided (vowel signs of Indian scripts are none), so beyond
/// ASCII both are taken. `None`: it is the table of another stream.
fn replaced(name: &str, log: &str) -> Option<usize> {
    let table = log.get(PREFIX.len()..).filter(|_| is_log(log))?;
    let name = name.trim();
    let direct = || as_written(name, table);
    let prefixed = || as_written(name, table.strip_prefix("t_").or_else(|| table.strip_prefix("T_"))?);
    match name.chars().next() {
        None => prefixed(),
        Some(first) if first.is_ascii_digit() => prefixed(),
        Some(first) if first.is_ascii() => direct(),
        // A digit of another script has the prefix.
        Some(_) => direct().or_else(prefixed),
    }
}

fn as_written(name: &str, table: &str) -> Option<usize> {
    let (mut in_name, mut in_table) = (name.chars(), table.chars());
    let mut replaced = 0;
    loop {
        match (in_name.next(), in_table.next()) {
            (None, None) => return Some(replaced),
            (Some(c), Some(t)) if c.is_ascii_alphanumeric() => c.eq_ignore_ascii_case(&t).then_some(())?,
            (Some(c), Some('_')) => replaced += usize::from(!c.is_ascii()),
            (Some(c), Some(t)) => (!c.is_ascii() && c == t).then_some(())?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(logs: &[&str], names: &[&str], streams: &[(&str, &str)]) -> Vec<(String, usize, bool)> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let streams: Vec<_> =
            streams.iter().map(|(name, id)| ((*name).to_owned(), StreamId::new(id).unwrap())).collect();
        let (targets, _) = plan(&owned(logs), &owned(names), &streams);
        targets.into_iter().map(|t| (t.id.to_string(), t.names.len(), t.configured)).collect()
    }

    fn one(id: &str, names: usize, configured: bool) -> (String, usize, bool) {
        (id.to_owned(), names, configured)
    }

    #[test]
    fn a_table_belongs_to_the_name_that_made_it() {
        for (name, log) in [
            ("GateCamera", "log_GateCamera"),
            (" Cam 1 ", "log_Cam_1"),
            ("cam-1", "log_Cam_1"),
            ("2nd floor", "log_t_2nd_floor"),
            ("_x", "log__x"),
            ("-x", "log__x"),
            ("", "log_t_"),
            ("Tür", "log_Tür"),
            // U+0947 is a vowel sign: no letter for Python.
            ("गेट", "log_ग_ट"),
            ("②", "log_t_②"),
            ("🚪", "log__"),
        ] {
            assert!(replaced(name, log).is_some(), "{name} {log}");
        }
        for (name, log) in [
            ("Gate", "log_GateCamera"),
            ("2nd", "log_2nd"),
            ("x", "log_t_x"),
            ("a b", "log_a-b"),
            ("Tür", "log_Tor"),
            ("gate", "gate"),
        ] {
            assert_eq!(replaced(name, log), None, "{name} {log}");
        }
    }

    #[test]
    fn the_closer_table_is_taken() {
        assert_eq!(
            ids(&["log_T_r", "log_Tür"], &["T-r", "Tür"], &[("Tür", "door")]),
            [one("t-r", 1, false), one("door", 1, true)]
        );
    }

    #[test]
    fn names_that_share_a_table_get_an_id_of_their_own() {
        let streams = [("Gate", "gate"), ("Cam 1", "cam-1")];
        assert_eq!(
            ids(&["log_Gate", "log_Cam_1"], &["Gate", "gate", "Cam 1", "Cam_1"], &streams),
            [one("gate-2", 2, false), one("cam_1", 2, false)]
        );
    }

    #[test]
    fn what_is_not_configured_keeps_out_of_the_way() {
        let streams = [("Gate", "front"), ("Front", "yard")];
        assert_eq!(
            ids(&["log_Gate", "log_Yard", "log_Front", "log_yard_"], &["Gate", "Yard", "Front"], &streams),
            [one("front", 1, true), one("yard-2", 1, false), one("yard", 1, true), one("yard_", 0, false)]
        );
        // Two names that make one id.
        assert_eq!(
            ids(&["log_Café", "log_Cafe"], &["Cafe", "Café"], &[]),
            [one("cafe", 1, false), one("cafe-2", 1, false)]
        );
        // A forgotten table whose name was written as that of a stream of ours.
        assert_eq!(ids(&["log_Gate"], &[], &[("Gate", "front")]), [one("front", 0, true)]);
    }
}
