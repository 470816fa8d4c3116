//! Users, their sessions, API tokens, and who changed what.

use super::*;
use crate::model::{ApiToken, RefreshToken, Role, User};

pub(super) fn user(name: &str) -> User {
    User {
        username: name.to_owned(),
        password_hash: "$argon2id$…".to_owned(),
        role: Role::Operator,
        groups: None,
        must_change_password: true,
        token_generation: 1,
    }
}

pub(super) fn token(hash: &str, username: &str, family: &str) -> RefreshToken {
    RefreshToken {
        hash: hash.to_owned(),
        username: username.to_owned(),
        family: family.to_owned(),
        expires_at: at_ms(1000),
    }
}

#[tokio::test]
async fn users_come_and_go_with_their_tokens() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.user("ann").await.unwrap(), None);
    assert!(store.add_user(user("ann")).await.unwrap());
    assert!(!store.add_user(User { role: Role::Admin, ..user("ann") }).await.unwrap(), "it is there");
    assert!(store.add_user(user("bob")).await.unwrap());
    store.put_refresh_token(token("a1", "ann", "f1")).await.unwrap();
    // Another role or other groups keep the tokens.
    let groups = Some(vec!["Yard, \"north\"".to_owned()]);
    let change = UserChange { role: Some(Role::Viewer), groups: Some(groups.clone()), password: None };
    let changed = User { role: Role::Viewer, groups, ..user("ann") };
    assert_eq!(store.change_user("ann", change).await.unwrap(), UserChanged::Done(changed.clone()));
    assert_eq!(store.user("ann").await.unwrap(), Some(changed.clone()));
    assert_eq!(store.users().await.unwrap(), [changed.clone(), user("bob")]);
    assert_eq!(store.take_refresh_token("a1", at_ms(0)).await.unwrap(), TakenToken::Fresh(token("a1", "ann", "f1")));
    // A new password does not.
    store.put_refresh_token(token("a3", "ann", "f1")).await.unwrap();
    let change = UserChange { password: Some(("$new".to_owned(), false)), ..UserChange::default() };
    let renewed =
        User { password_hash: "$new".to_owned(), must_change_password: false, token_generation: 2, ..changed };
    assert_eq!(store.change_user("ann", change).await.unwrap(), UserChanged::Done(renewed.clone()));
    assert_eq!(store.take_refresh_token("a3", at_ms(0)).await.unwrap(), TakenToken::Invalid);
    assert_eq!(store.remove_user("ann").await.unwrap(), UserChanged::Done(renewed));
    assert_eq!(store.remove_user("ann").await.unwrap(), UserChanged::NoSuchUser);
    assert_eq!(store.change_user("ann", UserChange::default()).await.unwrap(), UserChanged::NoSuchUser);
    assert_eq!(store.take_refresh_token("a1", at_ms(0)).await.unwrap(), TakenToken::Invalid);
    let orphan = store.put_refresh_token(token("a2", "ann", "f1")).await;
    assert!(matches!(orphan, Err(StoreError::Conflict { .. })), "{orphan:?}");
}

#[tokio::test]
async fn of_two_that_remove_the_last_administrators_at_once_one_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for name in ["ann", "bob"] {
        store.add_user(User { role: Role::Admin, ..user(name) }).await.unwrap();
    }
    let demoted = UserChange { role: Some(Role::Operator), ..UserChange::default() };
    let (one, two) = tokio::join!(store.change_user("ann", demoted), store.remove_user("bob"));
    assert!(matches!(one.unwrap(), UserChanged::Done(_)));
    assert_eq!(two.unwrap(), UserChanged::LastAdmin);
    assert_eq!(store.user("bob").await.unwrap().unwrap().role, Role::Admin);
}

#[tokio::test]
async fn an_administrator_has_no_groups() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let groups = Some(vec!["Yard".to_owned()]);
    store.add_user(User { groups: groups.clone(), ..user("ann") }).await.unwrap();
    // At once: whichever comes last, no list stays.
    let promoted = UserChange { role: Some(Role::Admin), ..UserChange::default() };
    let limited = UserChange { groups: Some(groups), ..UserChange::default() };
    let (one, two) = tokio::join!(store.change_user("ann", promoted), store.change_user("ann", limited));
    assert!(matches!((one.unwrap(), two.unwrap()), (UserChanged::Done(_), UserChanged::Done(_))));
    let ann = store.user("ann").await.unwrap().unwrap();
    assert_eq!((ann.role, ann.groups), (Role::Admin, None));
}

#[tokio::test]
async fn an_account_of_the_same_name_is_another_one() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.add_user(user("root")).await.unwrap();
    store.add_user(User { token_generation: 7, ..user("ann") }).await.unwrap();
    store.remove_user("ann").await.unwrap();
    store.add_user(user("ann")).await.unwrap();
    assert_eq!(store.user("ann").await.unwrap().unwrap().token_generation, 8);
}

#[tokio::test]
async fn a_refused_change_of_the_last_administrator_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let root = User { role: Role::Admin, ..user("root") };
    store.add_user(root.clone()).await.unwrap();
    store.put_refresh_token(token("r1", "root", "f1")).await.unwrap();
    let change = UserChange { role: Some(Role::Viewer), groups: None, password: Some(("$new".to_owned(), false)) };
    assert_eq!(store.change_user("root", change).await.unwrap(), UserChanged::LastAdmin);
    assert_eq!(store.user("root").await.unwrap(), Some(root));
    assert_eq!(store.take_refresh_token("r1", at_ms(0)).await.unwrap(), TakenToken::Fresh(token("r1", "root", "f1")));
}

#[tokio::test]
async fn api_tokens_are_found_by_their_hash_until_they_are_revoked() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let made = ApiToken {
        id: 0,
        name: "grafana".to_owned(),
        role: Role::Viewer,
        groups: Some(vec!["Yard".to_owned()]),
        created_at: at_ms(0),
        created_by: "ann".to_owned(),
        expires_at: Some(at_ms(1000)),
        last_used_at: None,
    };
    let id = store.add_api_token("hash".to_owned(), made.clone()).await.unwrap().unwrap();
    assert_eq!(store.add_api_token("other".to_owned(), made.clone()).await.unwrap(), None, "the name is taken");
    store.note_api_token_used(id, at_ms(7)).await.unwrap();
    let kept = ApiToken { id, last_used_at: Some(at_ms(7)), ..made };
    assert_eq!(store.api_token_by_hash("hash").await.unwrap(), Some(kept.clone()));
    assert_eq!(store.api_token_by_hash("other").await.unwrap(), None);
    assert!(kept.is_good(at_ms(999)) && !kept.is_good(at_ms(1000)));
    assert_eq!(store.revoke_api_token(id).await.unwrap(), Some(kept));
    assert_eq!(store.revoke_api_token(id).await.unwrap(), None);
    assert!(store.api_tokens().await.unwrap().is_empty() && store.api_token(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_command_writes_beside_a_service_that_runs() {
    let dir = TempDir::new().unwrap();
    let service = Store::open(dir.path()).await.unwrap();
    let command = Store::open_beside(dir.path()).await.unwrap();
    command.add_user(user("ann")).await.unwrap();
    assert_eq!(service.user("ann").await.unwrap(), Some(user("ann")));
    service.record(transition("gate", 5_000, Health::Down, Health::Up)).await.unwrap();
    command.close().await;
    assert!(matches!(Store::open(dir.path()).await, Err(StoreError::InUse { .. })), "the service still holds it");
    raw(&dir).pragma_update(None, "user_version", 4).unwrap();
    assert!(matches!(Store::open_beside(dir.path()).await, Err(StoreError::OtherVersion { .. })));
}

#[tokio::test]
async fn what_was_changed_is_told_newest_first() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let entry = |at| AuditEntry {
        id: 0,
        at: at_ms(at),
        by: "ann".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        action: "stream.create".to_owned(),
        target: "gate".to_owned(),
        details: serde_json::json!({"keys": ["url"]}),
    };
    for at in 0..3 {
        store.audit(entry(at)).await.unwrap();
    }
    let page = store.audit_log(AuditQuery { limit: 2, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(page, [AuditEntry { id: 3, ..entry(2) }, AuditEntry { id: 2, ..entry(1) }]);
    let query = AuditQuery { before: Some(2), limit: 2, ..AuditQuery::default() };
    assert_eq!(store.audit_log(query).await.unwrap(), [AuditEntry { id: 1, ..entry(0) }]);
    let query = AuditQuery { from: Some(at_ms(1)), to: Some(at_ms(2)), limit: 9, ..AuditQuery::default() };
    assert_eq!(store.audit_log(query).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.add_user(user("ann")).await.unwrap();
    for (hash, family) in [("a1", "f1"), ("a2", "f1"), ("b1", "f2"), ("c1", "f3")] {
        store.put_refresh_token(token(hash, "ann", family)).await.unwrap();
    }
    // Two at once: one wins.
    let (one, two) = tokio::join!(store.take_refresh_token("a1", at_ms(5)), store.take_refresh_token("a1", at_ms(5)));
    let used = TakenToken::Used { token: token("a1", "ann", "f1"), used_at: at_ms(5) };
    assert_eq!([one.unwrap(), two.unwrap()], [TakenToken::Fresh(token("a1", "ann", "f1")), used]);
    assert_eq!(store.revoke_refresh_family("f1").await.unwrap(), 2);
    assert_eq!(store.take_refresh_token("a2", at_ms(5)).await.unwrap(), TakenToken::Invalid);
    assert_eq!(store.take_refresh_token("b1", at_ms(1000)).await.unwrap(), TakenToken::Invalid, "expired");
}
