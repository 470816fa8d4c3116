//! Edits of files that people write.

use serde_json::{Value as Json, json};

mod files;
mod random;
mod secrets;

use super::apply::{apply, read};
use super::*;
use crate::config::Overrides;

/// Comments, anchors, merges and odd quotes, with secrets in all of it.
const FIXTURE: &str = include_str!("tests/fixture.yaml");

/// A document that is nowhere on the disk any more.
fn document(text: &str) -> Document {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    Document::read(&file, &Overrides::default()).unwrap()
}

fn set_of(document: &Document, path: &str, value: Json) -> Result<String, EditError> {
    let draft = document.with_edits(&[edit(path, Change::Set(value))])?;
    Ok(String::from_utf8(draft.bytes().to_vec()).unwrap())
}

fn edit(path: &str, change: Change) -> Edit {
    Edit { path: Path::parse(path).unwrap(), change }
}

fn set(text: &str, path: &str, value: Json) -> Result<String, String> {
    apply(text, &[edit(path, Change::Set(value))], &[]).map_err(|problem| problem.to_string())
}

fn remove(text: &str, path: &str) -> Result<String, String> {
    apply(text, &[edit(path, Change::Remove)], &[]).map_err(|problem| problem.to_string())
}

fn compare(wrong: &mut String, text: &str, path: &str, result: Result<String, String>, expected: &str) {
    if result.as_deref() != Ok(expected) {
        wrong.push_str(&format!("{text:?} {path}\n     got {result:?}\n  wanted {expected:?}\n"));
    }
}

#[test]
fn a_value_is_put_in_the_place_of_another() {
    let mut wrong = String::new();
    for (text, path, value, expected) in [
        ("a: 1   # c\nb: 2\n", "a", json!(5), "a: 5   # c\nb: 2\n"),
        ("a: 'x' # c\n", "a", json!("it's"), "a: 'it''s' # c\n"),
        ("a: \"x\"\n", "a", json!("q\"\n"), "a: \"q\\\"\\n\"\n"),
        ("a: \"1\"\n", "a", json!(2), "a: \"2\"\n"),
        ("a: x\n", "a", json!("yes"), "a: 'yes'\n"),
        ("a: x\n", "a", json!(true), "a: true\n"),
        ("a: 'x'\n", "a", json!(null), "a: null\n"),
        ("a:\n", "a", json!("x"), "a: x\n"),
        ("a:   # c\nb: 1", "a", json!("x"), "a: x   # c\nb: 1"),
        ("a: &x 1 # c\n", "a", json!(2), "a: &x 2 # c\n"),
        ("a: &x\nb: 1\n", "a", json!(2), "a: &x 2\nb: 1\n"),
        ("a: !!str 1\n", "a", json!(2), "a: 2\n"),
        ("a: &x !!str 1\n", "a", json!(2), "a: &x 2\n"),
        ("a: &x 1\nb: *x # c\n", "b", json!(2), "a: &x 1\nb: 2 # c\n"),
        ("a: |  # c\n  one\n  two\n\n# d\nb: 1\n", "a", json!("x"), "a: x  # c\n\n# d\nb: 1\n"),
        ("a: >-\r\n  one\r\n\r\nb: 1\r\n", "a", json!("x"), "a: x\r\n\r\nb: 1\r\n"),
        ("a: one\n  two\nb: 1\n", "a", json!("x"), "a: x\nb: 1\n"),
        ("a: \"one\n  two\" # c\nb: 1\n", "a", json!("x"), "a: \"x\" # c\nb: 1\n"),
        ("a: [1, 2] # c\n", "a", json!([1, 2, "a, b"]), "a: [1, 2, 'a, b'] # c\n"),
        ("a: [1, 2, 3] # c\n", "a", json!([1]), "a: [1] # c\n"),
        ("a: [1, 2] # c\n", "a", json!([]), "a: [] # c\n"),
        ("a: [ ] # c\n", "a", json!(["x"]), "a: [x] # c\n"),
        ("a: {b: 1, c} # c\n", "a.c", json!(2), "a: {b: 1, c: 2} # c\n"),
        ("a: {b: , c: 1}\n", "a.b", json!(2), "a: {b: 2 , c: 1}\n"),
        ("a: {b: x}\n", "a.b", json!("p,q"), "a: {b: 'p,q'}\n"),
        ("a:\n  - x # c\n  -\n  - z\n", "a[1]", json!("w"), "a:\n  - x # c\n  - w\n  - z\n"),
        ("ü: ☃ # ☃☃\nb: ☃ # ☃\n", "b", json!("ü"), "ü: ☃ # ☃☃\nb: ü # ☃\n"),
        ("---\n# c\na: 1\n...\n", "a", json!(2), "---\n# c\na: 2\n...\n"),
        ("%YAML 1.2\n--- # d\na: 1", "a", json!(2), "%YAML 1.2\n--- # d\na: 2"),
        ("? a\n: 1\n? b\n: 2\n", "a", json!(3), "? a\n: 3\n? b\n: 2\n"),
        ("\"a\": 1\n'b' : 2\n", "b", json!(3), "\"a\": 1\n'b' : 3\n"),
        ("a: 1\t# c\n", "a", json!(3), "a: 3\t# c\n"),
        // A whole mapping keeps what does not change.
        ("a:\n  b: 1 # one\n  # two\n  c: 2\n", "a", json!({"b": 1, "c": 3}), "a:\n  b: 1 # one\n  # two\n  c: 3\n"),
        ("a:\n  b: 1 # one\n  c: 2 # two\n", "a", json!({"c": 2, "d": 4}), "a:\n  c: 2 # two\n  d: 4\n"),
    ] {
        compare(&mut wrong, text, path, set(text, path, value), expected);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn another_kind_of_value_is_put_in_its_place() {
    let mut wrong = String::new();
    for (text, path, value, expected) in [
        ("a: null   # c\nb: 1\n", "a", json!({"x": 1, "w": {"z": 2}}), "a:   # c\n  x: 1\n  w:\n    z: 2\nb: 1\n"),
        ("a: {}   # c\n", "a.x", json!(1), "a:   # c\n  x: 1\n"),
        ("a:\n# c\n", "a.x.z", json!(1), "a:\n  x:\n    z: 1\n# c\n"),
        ("s: []\n# c\n", "s[]", json!({"m": 1, "u": [1, 2]}), "s:\n  - m: 1\n    u: [1, 2]\n# c\n"),
        ("s:\n# c\n", "s[]", json!({"m": 1}), "s:\n  - m: 1\n# c\n"),
        ("s: []", "s[]", json!("x"), "s: [x]"),
        ("a: 1\n", "s[]", json!({"m": 1}), "a: 1\ns:\n  - m: 1\n"),
        ("a:\n  # c\n  b: 1 # d\n  e: 2\n# f\ng: 1\n", "a", json!(null), "a: null\n  # c\n# f\ng: 1\n"),
        ("a: &x # c\n  b: 1\ng: 1\n", "a", json!([]), "a: &x [] # c\ng: 1\n"),
        ("a:\n  b: 1", "a", json!([]), "a: []"),
        ("a:\n- b: 1\n- 2\n", "a", json!({"c": 1}), "a:\n  c: 1\n"),
        ("- a: 1\n  b: 2 # c\n- d\n", "[0]", json!("x"), "- x # c\n- d\n"),
        ("- x\n- y # c\n", "[0]", json!({"a": 1, "b": 2}), "- a: 1\n  b: 2\n- y # c\n"),
        ("- x\n- y # c\n", "[1]", json!({"a": 1, "b": 2}), "- x\n- # c\n  a: 1\n  b: 2\n"),
        ("a: {b: [1]}\n", "a.b", json!({"c": [{"d": 1}]}), "a: {b: {c: [{d: 1}]}}\n"),
        ("# only a comment", "a.b", json!(1), "# only a comment\na:\n  b: 1\n"),
        ("", "a", json!(1), "a: 1\n"),
        ("~ # c\n", "a", json!(1), "a: 1 # c\n"),
        ("{} # c\n", "a", json!(1), "a: 1 # c\n"),
    ] {
        compare(&mut wrong, text, path, set(text, path, value), expected);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_key_or_an_item_is_added() {
    let mut wrong = String::new();
    for (text, path, value, expected) in [
        ("a:\n    b: 1   # c\n    # d\ne: 1\n", "a.x", json!("z"), "a:\n    b: 1   # c\n    x: z\n    # d\ne: 1\n"),
        ("a:\n  b: |\n    t\n\ne: 1\n", "a.x", json!(1), "a:\n  b: |\n    t\n  x: 1\n\ne: 1\n"),
        ("a: {b: 1 , } # c\n", "a.x", json!(1), "a: {b: 1, x: 1 , } # c\n"),
        ("a: {b} # c\n", "a.x", json!("v"), "a: {b, x: v} # c\n"),
        ("a: {b: [{}]}\n", "a.b[0].x", json!("v"), "a: {b: [{x: v}]}\n"),
        ("s:\n- n: 1\n  u: 2 # c\n# d\nt: 1\n", "s[0].p", json!("x"), "s:\n- n: 1\n  u: 2 # c\n  p: x\n# d\nt: 1\n"),
        ("s:\n- n: 1\n# d\nt: 1\n", "s[]", json!({"k": 2, "m": 3}), "s:\n- n: 1\n- k: 2\n  m: 3\n# d\nt: 1\n"),
        ("s:\r\n  -  n: 1", "s[0].x", json!(1), "s:\r\n  -  n: 1\r\n     x: 1"),
        ("s: [1, 2, ] # c\n", "s[]", json!(3), "s: [1, 2, 3, ] # c\n"),
        ("s:\n  - [1]\n  - - 2\n", "s[1][1]", json!(3), "s:\n  - [1]\n  - - 2\n    - 3\n"),
        ("a: 1\n# c\n", "b", json!({"x": {"z": 1}}), "a: 1\nb:\n  x:\n    z: 1\n# c\n"),
        ("a: 1", "b", json!("x"), "a: 1\nb: x"),
        // What comes from << is overridden in the mapping itself.
        (
            "d: &d {p: 1, q: 2}\na:\n  <<: *d\n  n: 1\n",
            "a.p",
            json!(5),
            "d: &d {p: 1, q: 2}\na:\n  <<: *d\n  n: 1\n  p: 5\n",
        ),
        (
            "d: &d\n  c: {x: 1, z: 2}\na:\n  <<: *d\n",
            "a.c.x",
            json!(5),
            "d: &d\n  c: {x: 1, z: 2}\na:\n  <<: *d\n  c:\n    x: 5\n    z: 2\n",
        ),
    ] {
        compare(&mut wrong, text, path, set(text, path, value), expected);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_key_or_an_item_is_removed() {
    let mut wrong = String::new();
    for (text, path, expected) in [
        ("a: 1 # c\n# d\nb: 2\n", "a", "# d\nb: 2\n"),
        ("a: 1\nb: 2", "b", "a: 1"),
        ("a: 1\r\nb: 2", "b", "a: 1"),
        ("a:\n  # c\n  b: 1\n  # d\nx: 1\n", "a", "  # d\nx: 1\n"),
        ("a:\n  b: 1 # c\nx: 1\n", "a.b", "a: {}\nx: 1\n"),
        ("s:\n  - n: 1\n    # u\n    u: 1\n    v: 2\n", "s[0].n", "s:\n  -\n    # u\n    u: 1\n    v: 2\n"),
        ("s:\n  - n: 1 # c\n    u: 1\n", "s[0].n", "s:\n  - u: 1\n"),
        ("s:\n  - n: 1\n    u: 1\n    v: 2\n", "s[0].n", "s:\n  - u: 1\n    v: 2\n"),
        ("s:\n# one\n- n: 1\n  # in\n  u: 1 # x\n# two\n- n: 2\n", "s[0]", "s:\n# one\n# two\n- n: 2\n"),
        ("s:\n- n: 1\n- n: 2\n", "s[1]", "s:\n- n: 1\n"),
        ("s:\n- n: 1 # c\n# d\n", "s[0]", "s: []\n# d\n"),
        ("s: [1, 2, 3]\n", "s[0]", "s: [2, 3]\n"),
        ("s: [1, 2, 3]\n", "s[2]", "s: [1, 2]\n"),
        ("s: [ {a: 1}, {b: 2}, ]\n", "s[1]", "s: [ {a: 1}, ]\n"),
        ("s: [\n  1, # one\n  2, # two\n]\n", "s[0]", "s: [\n   # one\n  2, # two\n]\n"),
        ("s: [1]\n", "s[0]", "s: []\n"),
        ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
        ("a: {b: 1, c}\n", "a.c", "a: {b: 1}\n"),
        ("a: 1\n", "a", "{}\n"),
        ("a:\n  b: |\n    x\n\n    y\n  c: 1\n", "a.b", "a:\n  c: 1\n"),
    ] {
        compare(&mut wrong, text, path, remove(text, path), expected);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_cannot_be_changed_alone_is_refused() {
    for (text, path, value, told) in [
        ("a: &x 1\nb: *x\n", "a", json!(2), "a: is shared"),
        ("a: &x {b: 1}\nc: *x\n", "c.b", json!(2), "c.b: is shared"),
        ("a: &x {b: 1}\nc: *x\n", "a.b", json!(2), "a.b: is shared"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "a.b", json!(2), "a.b: is shared"),
        ("a: &x {b: 1}\nc: *x\n", "c.d", json!(2), "c.d: is shared"),
        ("a: [b: 1]\n", "a[0].c", json!(2), "a[0].c: is written in a way"),
        ("a: 1\n", "a.b", json!(2), "a.b: is no mapping"),
        ("a: 1\n", "a[0]", json!(2), "a[0]: is no list"),
        ("a: [1]\n", "a[3]", json!(2), "a[3]: has 1 items; the next one is [1]"),
        ("a: [1]\n", "a[x]", json!(2), "a[x]: has no item with the id or name \"x\""),
        ("a: 1\na: 2\n", "b", json!(2), "line 2: the key"),
        ("a: [1\n", "b", json!(2), "line 2: not valid YAML"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 1}\n", "c", json!({"d": 2}), "c: b in it comes from another mapping"),
    ] {
        let refused = set(text, path, value).expect_err(text);
        assert!(refused.starts_with(told), "{text:?} {path}: {refused}");
    }
    assert!(remove("a: &x {b: 1}\nc: {<<: *x}\n", "c.b").unwrap_err().contains("through <<"));
    assert!(remove("a: 1\n", "b").unwrap_err().contains("is not there"));
    assert!(read("a: 1\n").is_ok());
}

#[test]
fn an_id_leads_to_its_stream_also_behind_a_removal() {
    let base = "streams:\n  - {name: Gate, url: 'rtsp://h/1'}\n  - {name: Yard, url: 'rtsp://h/2'}\n  - {name: Roof, url: 'rtsp://h/3'}\n";
    let document = document(base);
    let remove = |id: &str| edit(&format!("streams[{id}]"), Change::Remove);
    let group = edit("streams[roof].group", Change::Set(json!("Top")));
    let draft = document.with_edits(&[remove("gate"), group.clone()]).unwrap();
    let grouped: Vec<_> = draft.loaded().config.streams.iter().map(|s| (s.id.as_str(), s.group.as_deref())).collect();
    assert_eq!(grouped, [("yard", None), ("roof", Some("Top"))]);
    let draft = document.with_edits(&[remove("gate"), remove("roof")]).unwrap();
    assert_eq!(draft.loaded().config.streams[0].id.as_str(), "yard");
    assert!(document.with_edits(&[remove("gate"), remove("gate")]).is_err());
    let list = edit("streams", Change::Set(json!([{"name": "Roof", "id": "roof", "url": "rtsp://h/3"}])));
    let draft = document.with_edits(&[list, group]).unwrap();
    assert_eq!(draft.loaded().config.streams[0].group.as_deref(), Some("Top"));
}
