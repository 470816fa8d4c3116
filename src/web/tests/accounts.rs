//! Accounts, API tokens, signed links, and the log of who changed what.

use super::*;

#[tokio::test]
async fn an_administrator_makes_changes_and_removes_accounts() {
    let server = Server::start().await;
    let admin = server.token("root", Role::Admin).await;
    let made = server.ask("POST", "/api/users", &admin, Some(json!({"username": "anna", "groups": ["Front"]}))).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/users/anna")), "{}", made.everything());
    let password = made.json()["password"].as_str().unwrap().to_owned();
    // It must be changed first: whoever made the account knows it.
    let login = server.login("anna", &password).await.json();
    assert_eq!((&login["role"], &login["must_change_password"]), (&json!("viewer"), &json!(true)));
    let first = login["access_token"].as_str().unwrap();
    assert_eq!(server.get("/api/streams", first).await.code(), "password_change_required");
    let change = json!({"current_password": password, "new_password": "a longer password"});
    let changed = server.ask("POST", "/api/password", first, Some(change)).await.json();
    let anna = changed["access_token"].as_str().unwrap();
    let me = server.get("/api/me", anna).await.json();
    assert_eq!((&me["username"], &me["groups"], &me["is_token"]), (&json!("anna"), &json!(["Front"]), &json!(false)));

    for (body, code) in [
        (json!({"username": "anna"}), "user_exists"),
        (json!({"username": "a b"}), "bad_account"),
        (json!({"username": "token:1"}), "bad_account"),
        (json!({"username": "bert", "password": "tiny-pass"}), "bad_account"),
        (json!({"username": "bert", "role": "admin", "groups": ["Front"]}), "bad_account"),
        (json!({"username": "bert", "groups": []}), "bad_account"),
        (json!({"username": "bert", "role": "root"}), "bad_json"),
    ] {
        let refused = server.ask("POST", "/api/users", &admin, Some(body.clone())).await;
        assert_eq!(refused.code(), code, "{body}: {}", refused.everything());
        assert!(!refused.everything().contains("tiny-pass"));
    }

    // Another role and every group, at once, without a new sign-in.
    let change = json!({"role": "operator", "groups": null});
    let changed = server.ask("PATCH", "/api/users/anna", &admin, Some(change)).await.json();
    assert_eq!((&changed["role"], &changed["groups"]), (&json!("operator"), &Value::Null));
    let me = server.get("/api/me", anna).await.json();
    assert_eq!((&me["role"], &me["groups"]), (&json!("operator"), &Value::Null));
    // A new password ends what there is.
    let change = json!({"password": "quite another one"});
    assert_eq!(server.ask("PATCH", "/api/users/anna", &admin, Some(change)).await.json()["must_change_password"], true);
    assert_eq!(server.get("/api/me", anna).await.code(), "token_revoked");
    let old = json!({"refresh_token": login["refresh_token"]});
    assert_eq!(server.call("POST", "/api/refresh", "", Some(old)).await.status, 401);
    assert_eq!(server.ask("DELETE", "/api/users/anna", &admin, None).await.status, 204);
    assert_eq!(server.ask("DELETE", "/api/users/anna", &admin, None).await.code(), "no_such_user");
    assert_eq!(server.login("anna", "quite another one").await.code(), "wrong_password");

    let log = server.get("/api/audit", &admin).await.json();
    let told: Vec<_> = log["entries"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["user.remove", "user.change", "user.change", "password.change", "user.create"]);
    let text = log.to_string();
    assert!(text.contains("\"by\":\"root\"") && text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("quite another one") && !text.contains(&password) && !text.contains("argon2"), "{text}");
    let page = server.get("/api/audit?limit=2", &admin).await.json();
    let rest = server.get(&format!("/api/audit?cursor={}", page["next_cursor"].as_str().unwrap()), &admin).await.json();
    assert_eq!((page["entries"].as_array().unwrap().len(), rest["entries"].as_array().unwrap().len()), (2, 3));
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let server = Server::start().await;
    let admin = server.token("root", Role::Admin).await;
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({"role": "viewer"})))] {
        let refused = server.ask(method, "/api/users/root", &admin, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "last_administrator"));
    }
    server.account("anna", "a long password", Role::Admin).await;
    assert_eq!(server.ask("PATCH", "/api/users/root", &admin, Some(json!({"role": "viewer"}))).await.status, 200);
    assert_eq!(server.get("/api/users", &admin).await.code(), "forbidden");
}

#[tokio::test]
async fn an_api_token_is_shown_once_and_ends_when_it_is_revoked() {
    let server = Server::start().await;
    let admin = server.token("root", Role::Admin).await;
    let wanted = json!({"name": "grafana", "role": "viewer", "groups": ["Back"], "expires_in_days": 30});
    let made = server.ask("POST", "/api/tokens", &admin, Some(wanted.clone())).await;
    assert_eq!(made.status, 201, "{}", made.everything());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("sp_") && token.len() == 46, "{token}");
    assert_eq!(server.ask("POST", "/api/tokens", &admin, Some(wanted)).await.code(), "token_exists");
    let me = server.get("/api/me", &token).await.json();
    assert_eq!(
        (&me["username"], &me["groups"], &me["is_token"]),
        (&json!("token:grafana"), &json!(["Back"]), &json!(true))
    );
    let change = json!({"current_password": "a", "new_password": "b"});
    assert_eq!(server.ask("POST", "/api/password", &token, Some(change)).await.code(), "no_password");
    assert_eq!(server.ask("POST", "/api/logout", &token, None).await.status, 204, "it has no session to end");
    assert_eq!(server.get("/api/me", &token).await.status, 200);
    let list = server.get("/api/tokens", &admin).await;
    assert!(!list.everything().contains(&token[3..]), "{}", list.everything());
    let kept = &list.json()["tokens"][0];
    assert_eq!(
        (&kept["name"], &kept["created_by"], &kept["expired"]),
        (&json!("grafana"), &json!("root"), &json!(false))
    );
    for (body, code) in [
        (json!({"name": "x", "role": "viewer", "expires_in_days": 0}), "bad_account"),
        (json!({"name": "x", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}), "bad_account"),
        (
            json!({"name": "x", "role": "viewer", "expires_at": "2999-01-01T00:00:00Z", "expires_in_days": 3}),
            "bad_account",
        ),
        (json!({"name": "x y", "role": "viewer"}), "bad_account"),
        (json!({"name": "x", "role": "admin", "groups": ["Back"]}), "bad_account"),
        (json!({"name": "x"}), "bad_json"),
    ] {
        assert_eq!(server.ask("POST", "/api/tokens", &admin, Some(body.clone())).await.code(), code, "{body}");
    }
    let address = made.header("location").unwrap();
    assert_eq!(server.ask("DELETE", address, &admin, None).await.status, 204);
    assert_eq!(server.get("/api/me", &token).await.code(), "token_invalid");
    assert_eq!(server.ask("DELETE", address, &admin, None).await.code(), "no_such_token");
}

#[tokio::test]
async fn an_expired_api_token_is_refused() {
    let server = Server::start().await;
    let (token, hash) = new_api_token().unwrap();
    let now = SystemClock.now();
    let kept = crate::model::ApiToken {
        id: 0,
        name: "old".to_owned(),
        role: Role::Admin,
        groups: None,
        created_at: now,
        created_by: "root".to_owned(),
        expires_at: Some(now - jiff::SignedDuration::from_secs(1)),
        last_used_at: None,
    };
    let id = server.store.add_api_token(hash, kept).await.unwrap().unwrap();
    assert_eq!(server.get("/api/me", &token).await.code(), "token_expired");
    // And so is what it signed.
    let keys = Keys::load_or_create(server.dir.path()).unwrap();
    let path = "/api/streams/gate/snapshot.jpg";
    let later = now + jiff::SignedDuration::from_hours(1);
    let signature = keys.sign_link(&format!("token:{id}"), 0, path, later).unwrap();
    let refused = server.call("GET", &format!("{path}?signature={signature}"), "", None).await;
    assert_eq!(refused.code(), "link_refused", "{}", refused.everything());
}

#[tokio::test]
async fn a_signed_link_is_good_for_one_picture_with_the_rights_of_who_signed() {
    let server = Server::start().await;
    let olga = server.token("olga", Role::Operator).await;
    let anna = server.token("anna", Role::Viewer).await;
    assert_eq!(server.ask("POST", "/api/streams/gate/probe", &olga, None).await.status, 200);
    let sign = async |token: &str, path: &str| {
        let signed = server.ask("POST", "/api/links", token, Some(json!({"path": path}))).await;
        assert_eq!(signed.status, 200, "{}", signed.everything());
        signed.json()["url"].as_str().unwrap().to_owned()
    };
    let plain = async |path: &str| server.call("GET", path, "", None).await;
    let url = sign(&anna, "/api/streams/gate/snapshot.jpg").await;
    assert_eq!((plain(&url).await.status, plain(&url).await.body), (200, PICTURE.to_vec()));
    // What is signed is the path with its parameters, and the signature makes nobody more than they are.
    let signature = url.split_once('?').unwrap().1;
    for other in [
        format!("/api/streams/yard/snapshot.jpg?{signature}"),
        format!("/api/streams/gate/snapshot.jpg?fresh=1&{signature}"),
        format!("/api/streams?{signature}"),
        format!("{}x", url),
    ] {
        assert_eq!(plain(&other).await.code(), "link_refused", "{other}");
    }
    assert_eq!(plain(&sign(&anna, "/api/streams/gate/snapshot.jpg?fresh=1").await).await.code(), "forbidden");
    assert_eq!(plain(&sign(&olga, "/api/streams/gate/snapshot.jpg?fresh=1").await).await.status, 200);
    for path in [
        "/api/users",
        "/api/streams/gate",
        "https://elsewhere/api/streams/gate/preview",
        "/api/streams/gate/snapshot.jpg?signature=x",
    ] {
        let refused = server.ask("POST", "/api/links", &olga, Some(json!({"path": path}))).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "bad_link"), "{path}");
    }
    let long =
        server.ask("POST", "/api/links", &olga, Some(json!({"path": "/api/streams/gate/preview", "seconds": 0}))).await;
    assert_eq!(long.code(), "bad_link");
    // A new password ends the links of the account, a new key all of them.
    let change = json!({"current_password": "a long password", "new_password": "another password"});
    assert_eq!(server.ask("POST", "/api/password", &anna, Some(change)).await.status, 200);
    assert_eq!(plain(&url).await.code(), "link_refused");
    let admin = server.token("root", Role::Admin).await;
    let url = sign(&olga, "/api/streams/gate/snapshot.jpg").await;
    assert_eq!(plain(&url).await.status, 200);
    assert_eq!(server.ask("POST", "/api/tokens/rotate-secret", &admin, None).await.status, 204);
    assert_eq!(plain(&url).await.code(), "link_refused");
    assert_eq!(server.get("/api/me", &olga).await.code(), "token_invalid");
    assert_eq!(server.login("olga", "a long password").await.status, 200);
}

#[tokio::test]
async fn without_an_administrator_the_first_account_is_made_beside_others() {
    let server = Server::start().await;
    server.account("anna", "a long password", Role::Operator).await;
    let made = ensure_first_account_from(&server.store, server.dir.path(), None).await.unwrap();
    assert!(matches!(made, FirstPassword::Generated(_)), "{made:?}");
    let made = ensure_first_account_from(&server.store, server.dir.path(), None).await.unwrap();
    assert_eq!(made, FirstPassword::Exists);
}
