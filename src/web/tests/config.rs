//! The configuration over HTTP.

use super::*;

const FILE: &str = "# mine
heartbeat_seconds: 3600   # an hour
streams:
  - {name: Gate, url: 'rtsp://admin:s3cret-p4ss@192.0.2.10:554/stream1'} # the gate
  # between
  - name: Yard
    url: http://192.0.2.11/mjpeg?password=s3cret-p4ss
metrics: {token: metrics-t0ken}
";

impl Server {
    fn file(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("config.yaml")).unwrap()
    }

    async fn change(&self, method: &str, path: &str, headers: &str, body: Option<Value>) -> Answer {
        let answer = self.call(method, path, headers, body).await;
        for secret in ["s3cret-p4ss", "metrics-t0ken", "n3w-p4ss"] {
            assert!(!answer.everything().contains(secret), "{method} {path}: {}", answer.everything());
        }
        answer
    }
}

struct Admin {
    server: Server,
    bearer: String,
}

impl Admin {
    async fn new() -> Self {
        let server = Server::start_with(FILE).await;
        let token = server.token("root", Role::Admin).await;
        Self { server, bearer: format!("Authorization: Bearer {token}\r\n") }
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.change("GET", path, &self.bearer, None).await
    }

    async fn send(&self, method: &str, path: &str, tag: Option<&str>, body: Option<Value>) -> Answer {
        let tag = tag.map(|tag| format!("If-Match: {tag}\r\n")).unwrap_or_default();
        self.server.change(method, path, &format!("{}{tag}", self.bearer), body).await
    }

    async fn tag(&self) -> String {
        self.get("/api/config").await.header("etag").unwrap().to_owned()
    }

    async fn put(&self, tag: &str, text: &str) -> Answer {
        let length = text.len();
        let head = format!("PUT /api/config HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n");
        self.server.send(&format!("{head}{}If-Match: {tag}\r\n\r\n{text}", self.bearer)).await
    }
}

#[tokio::test]
async fn only_an_administrator_sees_or_changes_the_configuration() {
    let server = Server::start_with(FILE).await;
    let token = server.token("olga", Role::Operator).await;
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let stream = json!({"name": "New", "url": "rtsp://192.0.2.99/x"});
    for (method, path, body) in [
        ("GET", "/api/config", None),
        ("GET", "/api/config?format=json", None),
        ("PATCH", "/api/config", Some(json!([]))),
        ("PUT", "/api/config", None),
        ("POST", "/api/streams", Some(stream.clone())),
        ("PUT", "/api/streams/gate", Some(stream.clone())),
        ("PATCH", "/api/streams/gate", Some(stream)),
        ("DELETE", "/api/streams/gate", None),
    ] {
        assert_eq!(server.change(method, path, "", body.clone()).await.status, 401, "{method} {path}");
        assert_eq!(server.change(method, path, &bearer, body).await.status, 403, "{method} {path}");
    }
    assert!(server.get("/api/streams/gate", &token).await.json().get("config").is_none());
    assert_eq!(server.file(), FILE);
}

#[tokio::test]
async fn the_whole_file_is_shown_and_taken_back() {
    let admin = Admin::new().await;
    let shown = admin.get("/api/config").await;
    assert_eq!((shown.status, shown.header("content-type")), (200, Some("text/yaml; charset=utf-8")));
    let text = String::from_utf8(shown.body.clone()).unwrap();
    assert_eq!(text, FILE.replace("s3cret-p4ss", "***").replace("metrics-t0ken", "'***'"));
    let tag = shown.header("etag").unwrap();

    let without = admin.send("PUT", "/api/config", None, None).await;
    assert_eq!((without.status, without.code().as_str()), (428, "if_match_required"));
    let put = admin.put(tag, &text.replace("# mine", "# ours").replace("3600", "1800")).await;
    assert_eq!(put.status, 200, "{}", put.everything());
    assert_eq!(admin.server.file(), FILE.replace("# mine", "# ours").replace("3600", "1800"));
    assert_eq!(Some(put.json()["etag"].as_str().unwrap()), put.header("etag"));
    // In use already.
    assert_eq!(admin.get("/api/streams/gate").await.json()["heartbeat_seconds"], 1800);

    let old = admin.put(tag, &text).await;
    assert_eq!((old.status, old.code().as_str()), (412, "config_changed"));
    let tag = admin.tag().await;
    for (from, to, path) in [
        ("mjpeg", "mj peg", "streams[1].url"),
        ("192.0.2.10:", "192.0.2.66:", "streams[0].url"),
        ("metrics:", "metrics: [", ""),
    ] {
        let bad = admin.put(&tag, &text.replace(from, to)).await;
        assert_eq!((bad.status, bad.code().as_str()), (422, "config_invalid"), "{}", bad.everything());
        let problem = &bad.json()["error"]["details"][0];
        assert_eq!(problem["path"], path, "{}", bad.everything());
        assert!(problem["line"].is_u64() && problem["message"].is_string(), "{problem}");
    }
}

#[tokio::test]
async fn single_values_are_changed_and_the_rest_stays() {
    let admin = Admin::new().await;
    let patch = async |tag: &str, changes: Value| admin.send("PATCH", "/api/config", Some(tag), Some(changes)).await;
    let tag = admin.tag().await;
    let without = admin.send("PATCH", "/api/config", None, Some(json!([]))).await;
    assert_eq!((without.status, without.code().as_str()), (428, "if_match_required"));
    let changed = patch(
        &tag,
        json!([
            {"path": "heartbeat_seconds", "value": 60},
            {"path": "streams[yard].group", "value": "Outside: 2"},
            {"path": "web.public_status", "value": true},
            {"path": "metrics.token", "remove": true},
        ]),
    )
    .await;
    assert_eq!(changed.status, 200, "{}", changed.everything());
    let expected = FILE.replace("3600", "60").replace(
        "p4ss\nmetrics: {token: metrics-t0ken}\n",
        "p4ss\n    group: 'Outside: 2'\nmetrics: {}\nweb:\n  public_status: true\n",
    );
    assert_eq!(admin.server.file(), expected);
    assert_eq!(admin.server.call("GET", "/api/status", "", None).await.status, 200, "in use at once");
    assert_eq!(patch(&tag, json!([])).await.status, 412);
    let tag = changed.header("etag").unwrap();
    let values = admin.get("/api/config?format=json").await;
    assert_eq!(values.json()["values"]["streams"][1]["group"], "Outside: 2");
    assert_eq!((&values.json()["etag"], values.header("etag")), (&json!(tag), Some(tag)));

    for (changes, status, code) in [
        (json!([{"path": "heartbeat_seconds"}]), 400, "bad_change"),
        (json!([{"path": "heartbeat_seconds", "value": 1, "remove": true}]), 400, "bad_change"),
        (json!({"path": "heartbeat_seconds"}), 400, "bad_json"),
        (json!([{"path": "a..b", "value": 1}]), 422, "config_invalid"),
        (json!([{"path": "probe.workers", "value": 99}]), 422, "config_invalid"),
        (json!([{"path": "streams[nobody].url", "value": "x"}]), 422, "config_invalid"),
        (json!([{"path": "streams[gate].url", "value": "rtsp://admin:***@192.0.2.66/x"}]), 422, "config_invalid"),
    ] {
        let bad = patch(tag, changes.clone()).await;
        assert_eq!((bad.status, bad.code().as_str()), (status, code), "{changes}");
    }
    assert_eq!(admin.server.file(), expected, "nothing of it was written");
    // Changed by hand meanwhile.
    std::fs::write(admin.server.dir.path().join("config.yaml"), format!("{expected}# by hand\n")).unwrap();
    assert_eq!(patch(tag, json!([{"path": "heartbeat_seconds", "value": 61}])).await.code(), "config_changed");
}

#[tokio::test]
async fn streams_are_added_changed_and_removed() {
    let admin = Admin::new().await;
    let new = json!({"name": "Hall", "url": "rtsp://u:n3w-p4ss@192.0.2.20/s1", "tags": ["in"]});
    let created = admin.send("POST", "/api/streams", None, Some(new.clone())).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, Some("/api/streams/hall")),
        "{}",
        created.everything()
    );
    assert_eq!(created.json()["config"], json!({"name": "Hall", "url": "rtsp://u:***@192.0.2.20/s1", "tags": ["in"]}));
    let added = "  - name: Hall\n    url: rtsp://u:n3w-p4ss@192.0.2.20/s1\n    tags: [in]\n";
    assert_eq!(admin.server.file(), FILE.replace("metrics:", &format!("{added}metrics:")));
    let list = admin.get("/api/streams").await.json();
    assert_eq!(list["streams"].as_array().unwrap().len(), 3);
    for taken in [new, json!({"name": "Other", "id": "hall", "url": "rtsp://192.0.2.20/s1"})] {
        let taken = admin.send("POST", "/api/streams", None, Some(taken)).await;
        assert_eq!((taken.status, taken.code().as_str()), (409, "stream_exists"));
    }
    let bad = admin.send("POST", "/api/streams", None, Some(json!({"name": "Bad", "url": "rtps://h/x"}))).await;
    assert_eq!((bad.status, &bad.json()["error"]["details"][0]["path"]), (422, &json!("streams[3].url")));

    // Renamed: the id stays, and so does the password.
    let mut entry = created.json()["config"].clone();
    entry["name"] = json!("Entrance");
    let tag = created.header("etag").unwrap();
    let renamed = admin.send("PUT", "/api/streams/hall", Some(tag), Some(entry.clone())).await;
    assert_eq!(
        (renamed.status, &renamed.json()["id"], &renamed.json()["name"]),
        (200, &json!("hall"), &json!("Entrance"))
    );
    assert!(
        admin
            .server
            .file()
            .contains("  - name: Entrance\n    url: rtsp://u:n3w-p4ss@192.0.2.20/s1\n    tags: [in]\n    id: hall\n")
    );
    assert_eq!(admin.send("PUT", "/api/streams/hall", Some(tag), Some(entry)).await.status, 412);

    let patch = json!({"enabled": false, "tags": null});
    let patched = admin.send("PATCH", "/api/streams/hall", None, Some(patch)).await;
    assert_eq!((patched.status, &patched.json()["enabled"], &patched.json()["tags"]), (200, &json!(false), &json!([])));
    let moved = json!({"url": "rtsp://u:***@192.0.2.66/s1"});
    let moved = admin.send("PATCH", "/api/streams/hall", None, Some(moved)).await;
    assert!(moved.status == 422 && moved.everything().contains("type it anew"), "{}", moved.everything());

    let removed = admin.send("DELETE", "/api/streams/hall", None, None).await;
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    assert_eq!(admin.get("/api/streams/hall").await.status, 404);
    assert_eq!(admin.server.file(), FILE);
    for method in ["PUT", "PATCH", "DELETE"] {
        let body = (method != "DELETE").then(|| json!({"name": "x", "url": "rtsp://h/x"}));
        assert_eq!(admin.send(method, "/api/streams/hall", None, body).await.code(), "no_such_stream", "{method}");
    }
}

#[tokio::test]
async fn an_entry_is_shown_to_the_administrator_with_the_tag_of_the_file() {
    let admin = Admin::new().await;
    let gate = admin.get("/api/streams/gate").await;
    assert_eq!(gate.header("etag").map(str::to_owned), Some(admin.tag().await));
    assert_eq!(gate.json()["config"], json!({"name": "Gate", "url": "rtsp://admin:***@192.0.2.10:554/stream1"}));
}
