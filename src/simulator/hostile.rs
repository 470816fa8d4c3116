//! Servers that keep to no protocol, or use it against the client.

use std::io;
use std::time::Duration;

use super::camera::Protocol;
use super::connection::{Connection, Event};

/// Between the bytes of [`drip`].
const DRIP_EVERY: Duration = Duration::from_secs(1);

/// Takes a request and closes.
pub(super) async fn close(mut connection: Connection) -> io::Result<()> {
    connection.next(None).await?;
    Ok(())
}

/// Answers one byte a second of a header that does not end.
pub(super) async fn drip(mut connection: Connection, protocol: Protocol) -> io::Result<()> {
    if let Event::Request(_) = connection.next(None).await? {
        connection.outbox.extend_from_slice(format!("{} 200 OK\r\nServer: ", version(protocol)).as_bytes());
        connection.pour(b"x", DRIP_EVERY).await?;
    }
    Ok(())
}

/// Answers lines that are no protocol, for ever.
pub(super) async fn garbage(mut connection: Connection) -> io::Result<()> {
    if let Event::Request(_) = connection.next(None).await? {
        connection.outbox.extend_from_slice(b"\x7fELF\x02\x01\0 <&\x1b[31m\r\n\r\n");
        connection.finish().await?;
    }
    Ok(())
}

/// Answers header lines without end, as fast as they are taken.
pub(super) async fn endless_header(mut connection: Connection, protocol: Protocol) -> io::Result<()> {
    if let Event::Request(_) = connection.next(None).await? {
        connection.outbox.extend_from_slice(format!("{} 200 OK\r\n", version(protocol)).as_bytes());
        let lines = "X-More: 0123456789 0123456789 0123456789\r\n".repeat(400);
        connection.pour(lines.as_bytes(), Duration::ZERO).await?;
    }
    Ok(())
}

/// Answers OPTIONS, and then two gigabytes.
pub(super) async fn endless_body(mut connection: Connection) -> io::Result<()> {
    while let Event::Request(request) = connection.next(None).await? {
        let sequence = request.header("CSeq").map(|number| format!("CSeq: {number}\r\n")).unwrap_or_default();
        if request.method == "OPTIONS" {
            let text = format!("RTSP/1.0 200 OK\r\n{sequence}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n");
            connection.outbox.extend_from_slice(text.as_bytes());
            continue;
        }
        let (version, kind) = match request.version.starts_with("RTSP/") {
            true => ("RTSP/1.0", "application/sdp"),
            false => ("HTTP/1.1", "multipart/x-mixed-replace; boundary=frame"),
        };
        let head = format!("{version} 200 OK\r\n{sequence}Content-Type: {kind}\r\nContent-Length: 2000000000\r\n\r\n");
        connection.outbox.extend_from_slice(head.as_bytes());
        return connection.pour("a=x-filler:0123456789\r\n".repeat(700).as_bytes(), Duration::ZERO).await;
    }
    Ok(())
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Rtsp => "RTSP/1.0",
        Protocol::HttpMjpeg => "HTTP/1.1",
    }
}
