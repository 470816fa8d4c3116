//! Signing in and out, and what tokens and cookies are good for.

use super::*;

#[tokio::test]
async fn the_first_password_must_be_changed_before_anything_else() {
    let server = Server::start().await;
    let made = ensure_first_account_from(&server.store, server.dir.path(), None).await.unwrap();
    let FirstPassword::Generated(file) = made else { panic!("{made:?}") };
    assert_eq!(ensure_first_account_from(&server.store, server.dir.path(), None).await.unwrap(), FirstPassword::Exists);
    let first = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let login = server.login("admin", &first).await;
    assert_eq!((login.status, &login.json()["must_change_password"]), (200, &json!(true)));
    let token = login.json()["access_token"].as_str().unwrap().to_owned();
    for path in ["/api/streams", "/api/status", "/api/health", "/api/events", "/api/streams/gate/snapshot.jpg"] {
        let refused = server.get(path, &token).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "password_change_required"), "{path}");
    }
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    for (current, new, status) in [("wrong", "a new password", 401), (&first, "short", 422), (&first, &first, 422)] {
        let refused = server.call("POST", "/api/password", &bearer, Some(change(current, new))).await;
        assert_eq!(refused.status, status, "{new}");
    }
    let changed = server.call("POST", "/api/password", &bearer, Some(change(&first, "a new password"))).await;
    assert_eq!((changed.status, &changed.json()["must_change_password"]), (200, &json!(false)));
    assert!(!file.exists());
    assert_eq!(server.get("/api/streams", &token).await.code(), "token_revoked");
    let token = changed.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/api/streams", &token).await.status, 200);
    assert_eq!(server.login("admin", &first).await.code(), "wrong_password");
    let old = json!({"refresh_token": login.json()["refresh_token"]});
    assert_eq!(server.call("POST", "/api/refresh", "", Some(old)).await.status, 401);
}

#[tokio::test]
async fn a_preset_password_need_not_be_changed() {
    let server = Server::start().await;
    let preset = server.dir.path().join("preset");
    std::fs::write(&preset, "short\n").unwrap();
    let refused = ensure_first_account_from(&server.store, server.dir.path(), Some(&preset)).await;
    assert!(matches!(refused, Err(WebError::BadPreset { .. })));
    std::fs::write(&preset, "preset by the owner\n").unwrap();
    let made = ensure_first_account_from(&server.store, server.dir.path(), Some(&preset)).await.unwrap();
    assert_eq!(made, FirstPassword::Preset);
    let login = server.login("admin", "preset by the owner").await;
    assert_eq!(login.json()["must_change_password"], false);
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let server = Server::start().await;
    let good = server.token("anna", Role::Viewer).await;
    assert_eq!(server.get("/api/streams", &good).await.status, 200);
    let other = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let foreign = Keys::load_or_create(other.path()).unwrap().issue("anna", 0, "f", now).unwrap();
    let ours = Keys::load_or_create(server.dir.path()).unwrap();
    let expired = ours.issue("anna", 0, "f", now - jiff::SignedDuration::from_hours(1)).unwrap();
    let nobody = ours.issue("nobody", 0, "f", now).unwrap();
    let claims = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    for (token, code) in [
        (foreign.as_str(), "token_invalid"),
        (&expired, "token_expired"),
        (&nobody, "token_revoked"),
        (&none, "token_invalid"),
        ("x.y.z", "token_invalid"),
    ] {
        let refused = server.get("/api/streams", token).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code), "{token}");
        assert!(refused.header("www-authenticate").is_some());
    }
    assert_eq!(server.call("GET", "/api/streams", "", None).await.code(), "unauthorized");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_logout_ends_the_session() {
    let server = Server::start().await;
    server.account("anna", "a long password", Role::Viewer).await;
    let refresh =
        async |token: &Value| server.call("POST", "/api/refresh", "", Some(json!({"refresh_token": token}))).await;
    let login = server.login("anna", "a long password").await.json();
    let second = refresh(&login["refresh_token"]).await;
    assert_eq!(second.status, 200);
    // Within seconds it may be a second tab: it gets nothing, and nothing ends.
    assert_eq!(refresh(&login["refresh_token"]).await.code(), "already_refreshed");
    let second = second.json();
    let token = second["access_token"].as_str().unwrap();
    assert_eq!(server.get("/api/streams", token).await.status, 200);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(server.call("POST", "/api/logout", &bearer, None).await.status, 204);
    assert_eq!(server.get("/api/streams", token).await.code(), "token_revoked");
    assert_eq!(refresh(&second["refresh_token"]).await.code(), "refresh_refused");
    assert_eq!(refresh(&json!("made up")).await.code(), "refresh_refused");
}

#[tokio::test]
async fn cookies_need_the_header_for_a_change() {
    let server = Server::start().await;
    server.account("olga", "a long password", Role::Operator).await;
    let login = server.login("olga", "a long password").await;
    let access = login.json()["access_token"].as_str().unwrap().to_owned();
    let set: Vec<&str> = login.head.lines().filter(|l| l.to_lowercase().starts_with("set-cookie")).collect();
    // The tokens are out of reach of scripts; what scripts may read holds none.
    let (tokens, hints): (Vec<&str>, Vec<&str>) =
        set.into_iter().partition(|c| c.contains("; HttpOnly; SameSite=Strict"));
    assert!(tokens.len() == 2 && tokens.iter().any(|c| c.contains(&access)), "{tokens:?}");
    let harmless = |c: &&str| c.contains("=1; Path=/") && c.contains("; SameSite=Strict");
    assert!(hints.len() == 2 && hints.iter().all(harmless), "{hints:?}");
    let cookie = format!("Cookie: sp_access={access}\r\n");
    assert_eq!(server.call("GET", "/api/streams", &cookie, None).await.status, 200);
    let forged = server.call("POST", "/api/streams/gate/probe", &cookie, None).await;
    assert_eq!((forged.status, forged.code().as_str()), (403, "csrf_header_missing"));
    let meant = format!("{cookie}X-StreamPulse: 1\r\n");
    let probed = server.call("POST", "/api/streams/gate/probe", &meant, None).await;
    assert_eq!((probed.status, &probed.json()["outcome"]), (200, &json!("ok")));
}

#[tokio::test]
async fn wrong_passwords_say_nothing_and_slow_down() {
    let server = Server::start().await;
    server.account("anna", "a long password", Role::Viewer).await;
    let unknown = server.login("nobody", "a long password").await;
    let mut wrong = Vec::new();
    // The first wait is a second from when the fifth try began, which a slow machine may take for its answer; the next is two.
    loop {
        let answer = server.login("anna", "a l0ng password").await;
        if answer.status == 429 {
            break;
        }
        assert_eq!((answer.status, &answer.body), (401, &unknown.body));
        wrong.push(answer);
        assert!(wrong.len() < 12, "not slowed down");
    }
    assert!(wrong.len() >= 5, "slowed down after {}", wrong.len());
    let slowed = server.login("anna", "a long password").await;
    assert_eq!((slowed.status, slowed.code().as_str()), (429, "too_many_tries"));
    assert!(slowed.header("retry-after").is_some());
}
