//! Writing the file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::config::Overrides;
use crate::config::edit::{Change, Document, Draft, Edit, EditError, Path};

fn draft(file: &std::path::Path, seconds: u32) -> Draft {
    let edit = Edit { path: Path::parse("heartbeat_seconds").unwrap(), change: Change::Set(json!(seconds)) };
    Document::read(file, &Overrides::default()).unwrap().with_edits(&[edit]).unwrap()
}

const BEFORE: &str = "heartbeat_seconds: 15 # c\nstreams: []\n";

#[test]
fn the_file_is_replaced_and_the_old_content_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, BEFORE).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let link = directory.path().join("link.yaml");
    std::os::unix::fs::symlink("config.yaml", &link).unwrap();

    let draft = draft(&link, 20);
    draft.write().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "heartbeat_seconds: 20 # c\nstreams: []\n");
    assert_eq!(Document::read(&file, &Overrides::default()).unwrap().tag(), draft.tag());
    let backup = directory.path().join("config.yaml.bak");
    assert_eq!(fs::read_to_string(&backup).unwrap(), BEFORE);
    for file in [&file, &backup] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o640);
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mut names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.yaml", "config.yaml.bak", "link.yaml"], "nothing is left over");
}

#[test]
fn a_file_that_was_changed_meanwhile_stays() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, BEFORE).unwrap();
    let (first, second) = (draft(&file, 20), draft(&file, 30));
    first.write().unwrap();
    assert!(matches!(second.write(), Err(EditError::Changed)));
    assert!(fs::read_to_string(&file).unwrap().starts_with("heartbeat_seconds: 20"));
    // What changes nothing is not written.
    let same = draft(&file, 20);
    fs::remove_file(directory.path().join("config.yaml.bak")).unwrap();
    same.write().unwrap();
    assert!(!directory.path().join("config.yaml.bak").exists());
}

#[test]
fn what_cannot_be_written_is_said_with_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, BEFORE).unwrap();
    let draft = draft(&file, 20);
    // A directory in the place of the copy: also root cannot write there.
    fs::create_dir(directory.path().join("config.yaml.bak")).unwrap();
    let Err(EditError::NotWritten(told)) = draft.write() else { panic!("it was written") };
    assert!(told.starts_with("cannot write ") && told.contains("config.yaml.bak"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), BEFORE);
}
