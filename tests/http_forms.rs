//! Video over HTTP that is not a part behind the other: a single JPEG, and MPEG-TS.

mod common;

use common::{fixture, probe_json};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a server answers.
#[derive(Clone)]
struct Form {
    /// Lines of the head, each with its end.
    head: String,
    body: Vec<u8>,
    /// Sends the body again and again.
    endless: bool,
}

async fn answer(mut stream: TcpStream, form: Form) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{}Connection: close\r\n\r\n", form.head).as_bytes()).await?;
    loop {
        stream.write_all(&form.body).await?;
        if !form.endless {
            return stream.shutdown().await;
        }
    }
}

/// What the program says of it.
async fn verdict(form: Form) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/video", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that hangs up has what it wants.
            let _ = answer(stream, form.clone()).await;
        }
    });
    let report = probe_json(&url, &["--timeout", "4s"]).await;
    serving.abort();
    report
}

fn jpeg() -> Vec<u8> {
    let clip = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/simulator/clips/pool.mjpeg")).expect("clip");
    let end = clip.windows(2).position(|marker| marker == [0xff, 0xd9]).expect("an end of image");
    clip[..end + 2].to_vec()
}

/// Facts of a verdict: reason, stage, codec, width, decoded.
fn facts(report: &Value) -> (String, String, String, u64, bool) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let video = &report["video"];
    (
        text(&report["reason"]),
        text(&report["stage"]),
        text(&video["codec"]),
        video["width"].as_u64().unwrap_or_default(),
        report["picture"]["luma_mean"].as_f64().is_some_and(|mean| mean > 20.0),
    )
}

fn picture(codec: &str, width: u64) -> (String, String, String, u64, bool) {
    ("ok".to_owned(), "picture".to_owned(), codec.to_owned(), width, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_jpeg() {
    let jpeg = jpeg();
    let length = format!("Content-Length: {}\r\n", jpeg.len());
    for head in [
        format!("Content-Type: image/jpeg\r\n{length}"),
        "Content-Type: image/jpeg\r\n".to_owned(),
        format!("Content-Type: IMAGE/JPEG; name=x.jpg\r\n{length}"),
        format!("Content-Type: application/octet-stream\r\n{length}"),
        length,
    ] {
        let report = verdict(Form { head: head.clone(), body: jpeg.clone(), endless: false }).await;
        assert_eq!(facts(&report), picture("mjpeg", 640), "{head}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_jpeg_that_is_cut_or_none() {
    let whole = jpeg();
    let cut = whole[..whole.len() / 2].to_vec();
    let head = "Content-Type: image/jpeg\r\n".to_owned();
    let report = verdict(Form { head: head.clone(), body: cut, endless: false }).await;
    assert_eq!((&report["reason"], &report["stage"]), (&"corrupt".into(), &"decode".into()), "{report}");
    let report =
        verdict(Form { head: "Content-Type: image/webp\r\n".to_owned(), body: b"RIFF".repeat(40), endless: false })
            .await;
    assert_eq!(report["reason"], "unsupported_codec", "{report}");
    let report = verdict(Form { head, body: Vec::new(), endless: false }).await;
    assert_eq!((&report["reason"], &report["stage"]), (&"no_data".into(), &"first_packet".into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mpeg_ts() {
    for (file, codec) in [("h264.ts", "h264"), ("h265.ts", "h265")] {
        let body = std::fs::read(fixture(&format!("ts/{file}"))).expect("clip");
        for kind in ["video/mp2t", "video/MP2T", "application/octet-stream"] {
            let head = format!("Content-Type: {kind}\r\n");
            let report = verdict(Form { head, body: body.clone(), endless: true }).await;
            assert_eq!(facts(&report), picture(codec, 320), "{file} {kind}: {report}");
        }
    }
    let sound = std::fs::read(fixture("ts/sound.ts")).expect("clip");
    let report = verdict(Form { head: "Content-Type: video/mp2t\r\n".to_owned(), body: sound, endless: true }).await;
    assert_eq!(report["reason"], "no_video", "{report}");
}
