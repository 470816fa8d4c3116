//! `/api/events`: who comes again, who may hear what, and when the account changes meanwhile.

use super::*;

async fn listen(server: &Server, token: &str, more: &str) -> TcpStream {
    let mut listener = TcpStream::connect(server.addr).await.unwrap();
    let head = format!("GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
    listener.write_all(head.as_bytes()).await.unwrap();
    listener
}

/// The last `id:` of what was heard.
fn last_id(heard: &[u8]) -> String {
    let text = String::from_utf8_lossy(heard);
    let line = text.lines().rev().find(|line| line.starts_with("id:")).unwrap();
    line["id:".len()..].trim().to_owned()
}

#[tokio::test]
async fn who_comes_again_hears_what_was_missed() {
    let server = Server::start().await;
    let token = server.token("olga", Role::Operator).await;
    let mut heard = Vec::new();
    let mut listener = listen(&server, &token, "").await;
    until(&mut listener, &mut heard, "event:hello").await;
    until(&mut listener, &mut heard, "id:").await;
    let id = last_id(&heard);
    drop(listener);
    assert_eq!(server.ask("POST", "/api/streams/yard/probe", &token, None).await.status, 200);
    server.tell(crate::monitor::Event::StreamsChanged);
    let mut heard = Vec::new();
    let mut listener = listen(&server, &token, &format!("Last-Event-ID: {id}\r\n")).await;
    until(&mut listener, &mut heard, "streams_changed").await;
    let text = String::from_utf8_lossy(&heard).into_owned();
    let (stream, reload) = (text.find("\"reason\":\"auth_failed\"").unwrap(), text.find("streams_changed").unwrap());
    assert!(stream < reload, "{text}");
    until(&mut listener, &mut heard, "id:").await;
    // What is not known of is told as such.
    let mut heard = Vec::new();
    let mut listener = listen(&server, &token, "Last-Event-ID: of-another-run\r\n").await;
    until(&mut listener, &mut heard, "missed_too_much").await;
    // A page that cannot set the header asks by parameter.
    let mut other = TcpStream::connect(server.addr).await.unwrap();
    let head =
        format!("GET /api/events?last_event_id={id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    other.write_all(head.as_bytes()).await.unwrap();
    until(&mut other, &mut Vec::new(), "streams_changed").await;
}

#[tokio::test]
async fn a_listener_hears_of_its_groups_only() {
    let server = Server::start().await;
    let admin = server.token("root", Role::Admin).await;
    let token = server.token_of("anna", Role::Viewer, Some(&["Back"])).await;
    let mut heard = Vec::new();
    let mut listener = listen(&server, &token, "").await;
    until(&mut listener, &mut heard, "event:hello").await;
    for id in ["gate", "yard"] {
        assert_eq!(server.ask("POST", &format!("/api/streams/{id}/probe"), &admin, None).await.status, 200);
    }
    until(&mut listener, &mut heard, "\"id\":\"yard\"").await;
    let text = String::from_utf8_lossy(&heard).into_owned();
    assert!(!text.contains("gate") && !text.contains("Gate"), "{text}");
}

#[tokio::test]
async fn a_listener_whose_account_is_gone_is_hung_up_on() {
    let server = Server::start().await;
    let admin = server.token("root", Role::Admin).await;
    let token = server.token("anna", Role::Viewer).await;
    let mut listener = listen(&server, &token, "").await;
    until(&mut listener, &mut Vec::new(), "event:hello").await;
    assert_eq!(server.ask("DELETE", "/api/users/anna", &admin, None).await.status, 204);
    let mut rest = Vec::new();
    listener.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn events_tell_of_a_probe_and_the_end_is_orderly() {
    let server = Server::start().await;
    let token = server.token("olga", Role::Operator).await;
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let mut listener = TcpStream::connect(server.addr).await.unwrap();
    listener.write_all(format!("GET /api/events HTTP/1.1\r\nHost: x\r\n{bearer}\r\n").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    until(&mut listener, &mut heard, "event:hello").await;
    assert_eq!(server.call("POST", "/api/streams/yard/probe", &bearer, None).await.status, 200);
    until(&mut listener, &mut heard, "\"reason\":\"auth_failed\"").await;
    server.cancel.cancel();
    let mut rest = Vec::new();
    listener.read_to_end(&mut rest).await.unwrap();
    server.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}
