//! Random edits of nasty files: refused, or nothing else is different.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::apply::{apply, read};
use super::super::path::Step;
use super::super::tree::Tree;
use super::*;
use crate::config::DEFAULT_FILE;

const NASTY: &str = "%YAML 1.2\n--- # one\n# ünïcode ☃\na: &a 1 # c\nb:\n# between\n- x\n-   y: 1 # in\n    # in\n    z: >-\n      folded\n\n      text\n- [p, {q: r}, 's''t' , ]\n# after b\nc: {d: 1, \"e\": [ ], f, g: {} } # flow\nh: |+\n  block # no comment\n\n\ni: *a\nbase: &base\n  k: 'v' # bk\n  l: 2\nj:\n  <<: *base\n  m: \"dq \\\" \\u00e9\"\n  n: plain\n    goes on\n  o: ~\n  p:\nq:\n  - - 1\n    - 2\n  -\n    r: 1\n  - # lone\n    s: 2\n...\n# end";

fn fixtures() -> Vec<String> {
    let nasty = NASTY.to_owned();
    vec![
        nasty.clone(),
        nasty.replace('\n', "\r\n"),
        FIXTURE.to_owned(),
        DEFAULT_FILE.to_owned(),
        DEFAULT_FILE.trim_end().to_owned(),
    ]
}

/// Every path in the tree.
fn paths(tree: &Tree, here: &[Step], found: &mut Vec<Vec<Step>>) {
    let mut go = |step: Step, tree: &Tree| {
        let path: Vec<Step> = here.iter().cloned().chain([step]).collect();
        found.push(path.clone());
        paths(tree, &path, found);
    };
    match tree {
        Tree::List(items) => items.iter().enumerate().for_each(|(i, item)| go(Step::Index(i), item)),
        Tree::Map(entries) => entries.iter().for_each(|(key, value)| go(Step::Key(key.clone()), value)),
        _ => {}
    }
}

fn value() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        Just("x"),
        Just("yes"),
        Just(""),
        Just("a: b # c"),
        Just("*x"),
        Just("it's"),
        Just("a\nb"),
        Just("ü, [☃]"),
        Just("- "),
        Just("007"),
        Just("\u{2028}\t"),
        Just("rtsp://u:p@h/x?a=b#c"),
        Just("'\""),
        Just("key:"),
    ];
    let leaf = prop_oneof![
        text.prop_map(Json::from),
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from)
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::vec((prop::sample::select(vec!["k", "l", "name", "new key"]), inner), 0..3).prop_map(
                |pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<serde_json::Map<_, _>>().into()
            ),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_edit_changes_nothing_else(file in 0_usize..5, pick in any::<prop::sample::Index>(), kind in 0..4, value in value()) {
        let text = fixtures().swap_remove(file);
        let before = read(&text).unwrap();
        let mut all = Vec::new();
        paths(&before, &[], &mut all);
        let mut steps = pick.get(&all).clone();
        match kind {
            1 => steps.push(Step::Key("new".to_owned())),
            2 => steps.push(Step::Append),
            _ => {}
        }
        let change = if kind == 3 { Change::Remove } else { Change::Set(value.clone()) };
        let edit = Edit { path: Path(steps.clone()), change: change.clone() };
        let Ok(after) = apply(&text, std::slice::from_ref(&edit), &[]) else {
            // Only where the place is no such thing, or is shared.
            let told = apply(&text, &[edit], &[]).unwrap_err().message;
            prop_assert!(["anchor", "<<", "is no ", "not there"].iter().any(|why| told.contains(why)), "{told}\n{steps:?} {value} {change:?}");
            return Ok(());
        };
        let mut wanted = before.clone();
        if kind == 3 {
            prop_assert!(wanted.remove(&steps));
        } else {
            if let (Some(Step::Append), Some(list)) = (steps.last(), before.at(&steps[..steps.len() - 1])) {
                let end = list.items().len();
                *steps.last_mut().unwrap() = Step::Index(end);
            }
            let Change::Set(json) = &change else { unreachable!() };
            wanted.set(&steps, Tree::from(json)).unwrap();
        }
        prop_assert_eq!(read(&after).unwrap(), wanted, "{}", after);
        // One piece of the text is different, and it does not reach over its neighbours: every line that is left of it or
        // right of it is there, and no comment line outside is lost.
        let common = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let rest = text.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
        let gone = text.len().saturating_sub(common + rest);
        let old = before.at(&steps).map_or(0, |tree| tree.to_json().to_string().len());
        // The comments within a section go with it.
        prop_assert!(gone <= 4 * old + 240, "{gone} bytes are gone\n{after}");
        prop_assert_eq!(text.matches('\r').count() > 0, after.contains('\r'));
    }

    #[test]
    fn what_is_shown_comes_back(secret in "[ -~]{1,12}", host in "[a-z]{1,8}") {
        let quoted = secret.replace('\'', "''");
        let text = format!("streams:\n  - name: a\n    url: rtsp://{host}/x # c\n    username: u\n    password: '{quoted}'\n# password: {secret}\n");
        let document = document(&text);
        let shown = document.shown();
        prop_assert!(shown.contains("    password: '***'\n# password: "), "{shown}");
        let draft = document.with_text(shown.as_bytes());
        prop_assert!(draft.is_ok(), "{draft:?}\n{shown}");
        prop_assert_eq!(draft.unwrap().bytes().to_vec(), text.as_bytes().to_vec());
    }
}

#[test]
fn the_default_file_becomes_a_working_one() {
    let document = document(DEFAULT_FILE);
    let camera =
        json!({"name": "Gate", "url": "rtsp://user:p,w@192.0.2.10/s1", "tags": ["a", "b"], "checks": {"black": false}});
    let edit = |path: &str, value| Edit { path: Path::parse(path).unwrap(), change: Change::Set(value) };
    let edits = [
        edit("streams[]", camera),
        edit("web.tls", json!({"cert_file": "/a", "key_file": "/b"})),
        edit("mqtt.password", json!("x")),
    ];
    let draft = document.with_edits(&edits).unwrap();
    let new = String::from_utf8(draft.bytes().to_vec()).unwrap();
    let expected = DEFAULT_FILE
        .replace(
            "streams: []\n",
            "streams:\n  - name: Gate\n    url: rtsp://user:p,w@192.0.2.10/s1\n    tags: [a, b]\n    checks:\n      black: false\n",
        )
        .replace("  tls: null                    # or both files:\n", "  tls:                    # or both files:\n    cert_file: /a\n    key_file: /b\n")
        .replace("  password: null\n  client_id", "  password: x\n  client_id");
    assert_eq!(new, expected);
    assert_eq!(draft.loaded().config.streams[0].id.as_str(), "gate");
}
