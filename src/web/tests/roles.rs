//! Every route and every kind of caller.

use super::*;

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nobody need sign in.
    Nothing,
    /// `metrics.token`.
    MetricsToken,
    Role(Role),
}

/// One route as it is asked, and what an allowed caller gets.
struct Row {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    needs: Needs,
    status: u16,
    /// What a viewer gets who sees no stream of the table; the same as any viewer when it is `None`.
    foreign: Option<u16>,
}

const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMIN: Needs = Needs::Role(Role::Admin);

fn row(method: &'static str, path: &'static str, needs: Needs, status: u16) -> Row {
    Row { method, path, body: None, needs, status, foreign: None }
}

impl Row {
    fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// It is about a stream: who may not see it does not learn that it is there.
    fn of_a_stream(mut self) -> Self {
        self.foreign = Some(404);
        self
    }
}

/// In this order for each caller, on a server of its own.
fn table() -> Vec<Row> {
    vec![
        row("GET", "/", Needs::Nothing, 200),
        row("GET", "/healthz", Needs::Nothing, 200),
        row("GET", "/readyz", Needs::Nothing, 200),
        row("GET", "/metrics", Needs::MetricsToken, 200),
        row("GET", "/probe?target=gate", Needs::MetricsToken, 200),
        row("POST", "/api/login", Needs::Nothing, 400).with(json!({"username": "nobody"})),
        row("POST", "/api/refresh", Needs::Nothing, 401).with(json!({"refresh_token": "made up"})),
        row("GET", "/api/me", VIEWER, 200),
        row("GET", "/api/status", VIEWER, 200),
        row("GET", "/api/sd", VIEWER, 200),
        row("GET", "/api/streams", VIEWER, 200),
        row("GET", "/api/streams/gate", VIEWER, 200).of_a_stream(),
        row("GET", "/api/streams/nope", VIEWER, 404),
        row("POST", "/api/streams/gate/probe", OPERATOR, 200),
        row("POST", "/api/streams/gate/reference", OPERATOR, 503),
        row("GET", "/api/streams/gate/snapshot.jpg", VIEWER, 200).of_a_stream(),
        row("GET", "/api/streams/gate/snapshot.jpg?fresh=1", OPERATOR, 200),
        row("GET", "/api/streams/gate/reference.jpg", VIEWER, 200).of_a_stream(),
        row("GET", "/api/streams/gate/latency", VIEWER, 200).of_a_stream(),
        row("GET", "/api/streams/gate/history", VIEWER, 200).of_a_stream(),
        row("GET", "/api/streams/nope/preview", VIEWER, 404),
        row("GET", "/preview/nope", VIEWER, 404),
        row("GET", "/api/config", ADMIN, 200),
        row("PUT", "/api/config", ADMIN, 428).with(json!("streams: []")),
        row("PATCH", "/api/config", ADMIN, 428).with(json!([])),
        row("POST", "/api/streams", ADMIN, 422).with(json!({"name": "Nowhere"})),
        row("PUT", "/api/streams/nope", ADMIN, 404).with(json!({"name": "Nowhere"})),
        row("PATCH", "/api/streams/nope", ADMIN, 404).with(json!({"name": "Nowhere"})),
        row("DELETE", "/api/streams/nope", ADMIN, 404),
        row("POST", "/api/probe", ADMIN, 422).with(json!({"url": "ftp://192.0.2.1"})),
        row("POST", "/api/mqtt/test", ADMIN, 422).with(json!({"settings": {"topic": "a/#"}})),
        row("POST", "/api/notify/test", ADMIN, 422).with(json!({"target": {"url": "ftp://192.0.2.1"}})),
        row("POST", "/api/set-tz", ADMIN, 422).with(json!({})),
        row("GET", "/api/streams/gate/availability", VIEWER, 200).of_a_stream(),
        row("GET", "/api/availability", VIEWER, 200),
        row("GET", "/api/incidents", VIEWER, 200),
        row("GET", "/api/incidents/1", VIEWER, 200).of_a_stream(),
        row("GET", "/api/incidents/1/evidence/1.jpg", VIEWER, 404),
        row("POST", "/api/incidents/1/acknowledge", OPERATOR, 200),
        row("PATCH", "/api/incidents/1", OPERATOR, 200).with(json!({"note": "seen"})),
        row("GET", "/api/maintenance", VIEWER, 200),
        row("POST", "/api/maintenance", OPERATOR, 503).with(json!({"streams": ["gate"], "minutes": 5})),
        row("DELETE", "/api/maintenance/1", OPERATOR, 503),
        row("GET", "/api/reports", VIEWER, 200),
        row("GET", "/api/reports/2026-13.csv", VIEWER, 404),
        row("GET", "/api/health", VIEWER, 200),
        row("GET", "/api/export.csv", VIEWER, 200),
        row("GET", "/api/export.csv?stream=gate", VIEWER, 200).of_a_stream(),
        row("GET", "/export/all.csv", VIEWER, 200),
        row("GET", "/history/Gate", VIEWER, 200).of_a_stream(),
        row("GET", "/api/cfg", VIEWER, 200),
        row("GET", "/api/openapi.json", VIEWER, 200),
        row("POST", "/api/links", VIEWER, 200).with(json!({"path": "/api/streams/gate/snapshot.jpg"})),
        row("GET", "/api/users", ADMIN, 200),
        row("POST", "/api/users", ADMIN, 201).with(json!({"username": "newcomer"})),
        row("GET", "/api/users/newcomer", ADMIN, 200),
        row("PATCH", "/api/users/newcomer", ADMIN, 200).with(json!({"role": "operator"})),
        row("DELETE", "/api/users/newcomer", ADMIN, 204),
        row("GET", "/api/tokens", ADMIN, 200),
        row("POST", "/api/tokens", ADMIN, 201).with(json!({"name": "grafana", "role": "viewer"})),
        row("DELETE", "/api/tokens/99", ADMIN, 404),
        row("GET", "/api/audit", ADMIN, 200),
    ]
}

/// A server whose monitor does not run (it answers 503), with an incident of Gate, and a caller of this kind.
async fn server() -> Server {
    let server = Server::start().await;
    record_last_month(&server).await;
    server
}

fn check(who: &str, row: &Row, answer: &Answer, expected: (u16, Option<&str>)) {
    let seen = (answer.status, expected.1.map(|_| answer.code()));
    let expected = (expected.0, expected.1.map(str::to_owned));
    assert_eq!(seen, expected, "{who}: {} {}: {}", row.method, row.path, answer.everything());
}

#[tokio::test]
async fn who_shows_nothing_good_gets_nothing() {
    let server = server().await;
    let good = server.token("anna", Role::Admin).await;
    let now = SystemClock.now();
    let other = tempfile::tempdir().unwrap();
    let foreign = Keys::load_or_create(other.path()).unwrap().issue("anna", 0, "f", now).unwrap();
    let ours = Keys::load_or_create(server.dir.path()).unwrap();
    let expired = ours.issue("anna", 0, "f", now - jiff::SignedDuration::from_hours(1)).unwrap();
    let claims = good.split('.').nth(1).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let link = ours.sign_link("anna", 0, "/api/streams", now + jiff::SignedDuration::from_hours(1)).unwrap();
    for (who, token, code) in [
        ("nobody", "", "unauthorized"),
        ("expired", &*expired, "token_expired"),
        ("another key", &*foreign, "token_invalid"),
        ("alg none", &*unsigned, "token_invalid"),
        ("a link's signature", &*link, "token_invalid"),
        ("an API token that is none", "sp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "token_invalid"),
    ] {
        let headers = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        for row in table() {
            let answer = server.call(row.method, row.path, &headers, row.body.clone()).await;
            match row.needs {
                Needs::Nothing => check(who, &row, &answer, (row.status, None)),
                Needs::MetricsToken => check(who, &row, &answer, (401, Some("unauthorized"))),
                Needs::Role(_) => check(who, &row, &answer, (401, Some(code))),
            }
        }
    }
    assert!(server.store.audit_log(Default::default()).await.unwrap().is_empty(), "nothing was changed");
}

async fn check_role(who: &str, server: &Server, token: &str, role: Role, is_foreign: bool) {
    for row in table() {
        let token = if row.needs == Needs::MetricsToken { "metrics-t0ken" } else { token };
        let answer = server.ask(row.method, row.path, token, row.body.clone()).await;
        match row.needs {
            Needs::Role(needed) if role < needed => check(who, &row, &answer, (403, Some("forbidden"))),
            _ => check(who, &row, &answer, (row.foreign.filter(|_| is_foreign).unwrap_or(row.status), None)),
        }
    }
}

#[tokio::test]
async fn each_role_may_do_what_it_may_and_no_more() {
    for role in Role::ALL {
        let server = server().await;
        let token = server.token("anna", role).await;
        check_role(role.as_str(), &server, &token, role, false).await;
    }
}

#[tokio::test]
async fn an_api_token_may_do_what_its_role_may() {
    for role in Role::ALL {
        let server = server().await;
        let admin = server.token("root", Role::Admin).await;
        let wanted = json!({"name": "program", "role": role, "expires_in_days": 1});
        let made = server.ask("POST", "/api/tokens", &admin, Some(wanted)).await.json();
        let token = made["token"].as_str().unwrap();
        check_role(&format!("API token, {role}"), &server, token, role, false).await;
    }
}

#[tokio::test]
async fn who_sees_another_group_does_not_learn_of_the_others() {
    let server = server().await;
    let token = server.token_of("otto", Role::Viewer, Some(&["Elsewhere"])).await;
    check_role("another group", &server, &token, Role::Viewer, true).await;
    let token = server.token_of("olga", Role::Operator, Some(&["Elsewhere", "Back"])).await;
    for (method, path, body) in [
        ("POST", "/api/streams/gate/probe", None),
        ("POST", "/api/streams/gate/reference", None),
        ("GET", "/api/streams/gate/snapshot.jpg?fresh=1", None),
        ("POST", "/api/incidents/1/acknowledge", None),
        ("PATCH", "/api/incidents/1", Some(json!({"note": "mine"}))),
        ("POST", "/api/maintenance", Some(json!({"streams": ["gate"], "minutes": 5}))),
        ("DELETE", "/api/maintenance/1", None),
    ] {
        let answer = server.ask(method, path, &token, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.everything());
    }
}

/// `/api/streams/{id}/probe` of `/api/streams/gate/probe?…`.
fn is_of(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
}

#[test]
fn the_table_has_every_documented_route_and_the_role_that_is_documented() {
    let document = crate::web::openapi::document();
    let table = table();
    let mut described = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let at = format!("{method} {template}");
            // Sessions have tests of their own, and so has what cannot be asked twice or never ends.
            if ["/api/logout", "/api/password", "/api/events", "/api/tokens/rotate-secret"].contains(&template.as_str())
            {
                continue;
            }
            let fits = |row: &&Row| row.method.eq_ignore_ascii_case(method) && is_of(template, row.path);
            let rows: Vec<&Row> = table.iter().filter(fits).collect();
            assert!(!rows.is_empty(), "{at} is not in the table");
            described += rows.len();
            let documented = operation["x-role"].as_str().and_then(Role::parse);
            let least =
                rows.iter().filter_map(|row| if let Needs::Role(role) = row.needs { Some(role) } else { None }).min();
            assert_eq!(documented, least, "{at}");
        }
    }
    let undocumented: Vec<&str> = table.iter().map(|row| row.path).filter(|path| *path == "/").collect();
    assert_eq!(described + undocumented.len(), table.len(), "a route of the table is not documented, or twice");
}
