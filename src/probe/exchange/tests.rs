use super::*;
use crate::model::{CameraUrl, Credentials};

fn transcript() -> Transcript {
    Transcript::new(Instant::now())
}

fn told(transcript: &Transcript) -> String {
    transcript.told(&Scrubber::default(), "the end").expect("something was done").into_string()
}

/// Without the times, which differ.
fn without_times(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| match line.split_once(" ms ") {
            Some((time, rest)) if time.starts_with('+') => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}

#[test]
fn a_person_reads_it_from_top_to_bottom() {
    let transcript = transcript();
    assert_eq!(transcript.told(&Scrubber::default(), "nothing"), None);
    transcript.note("connecting to 192.0.2.1:554");
    transcript.begin(Who::We, "DESCRIBE rtsp://192.0.2.1/s1 RTSP/1.0");
    transcript.lines("Accept: application/sdp");
    transcript.begin(Who::Camera, "RTSP/1.0 401 Unauthorized");
    transcript.lines("Public: OPTIONS");
    transcript.go_on(", DESCRIBE");
    transcript.note("something else");
    transcript.lines("WWW-Authenticate: Digest realm=\"cam\", nonce=\"abc\"\r\nv=0\n+1.0 ms > FORGED\n");
    transcript.close();
    transcript.begin(Who::We, "TEARDOWN");
    transcript.lines("CSeq: 9");
    assert_eq!(
        without_times(&told(&transcript)),
        [
            "= connecting to 192.0.2.1:554",
            "> DESCRIBE rtsp://192.0.2.1/s1 RTSP/1.0",
            "  Accept: application/sdp",
            "< RTSP/1.0 401 Unauthorized",
            "  Public: OPTIONS, DESCRIBE",
            "  WWW-Authenticate: Digest realm=\"cam\", nonce=***",
            "  v=0",
            "  +1.0 ms > FORGED",
            "= something else",
            "= the end",
        ]
    );
}

#[test]
fn what_is_too_much_is_cut_and_the_end_stays() {
    let transcript = transcript();
    for number in 0..200 {
        transcript.begin(Who::We, &format!("GET /{number} HTTP/1.1"));
        transcript.lines(&format!("X: {}", "\u{1}ü".repeat(10_000)));
        for _ in 0..200 {
            transcript.lines("Y: 1\nZ: 2");
        }
        assert!(!transcript.has_room());
    }
    let text = told(&transcript);
    assert!(text.len() <= MAX_BYTES, "{}", text.len());
    for wanted in ["> GET /0 ", "> GET /2 ", "> GET /199 ", "messages left out", "= the end"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    assert!(text.lines().all(|line| line.len() <= MAX_LINE_BYTES + 32));

    let many = super::Transcript::new(Instant::now());
    (0..100).for_each(|number| many.note(&format!("{number}")));
    let text = told(&many);
    assert!(text.lines().count() <= MAX_MESSAGES + 1, "{text}");
    assert!(text.contains("= 2\n") && text.contains("= 99\n") && !text.contains("= 3\n"), "{text}");
}

#[test]
fn no_password_is_told_whole_or_in_pieces() {
    let (url, _) = CameraUrl::parse("rtsp://cam/s?token=abcdefghijkl").expect("url");
    let scrubber = Scrubber::new(&url, Some(&Credentials::new("admin", "open sesame/1")));
    // Where the line is cut, and the message, at every place of the password.
    for filler in MAX_LINE_BYTES - 40..MAX_LINE_BYTES {
        let transcript = transcript();
        transcript.begin(Who::Camera, &format!("RTSP/1.0 200 {}open sesame/1", "x".repeat(filler - 13)));
        transcript.lines(&format!("A: {}open sesame/1", "x".repeat(filler - 3)));
        transcript.lines(&format!("B: {}open%20sesame%2f1", "x".repeat(filler - 3)));
        transcript.lines("open\nsesame/1 abcdefghijkl YWRtaW46b3BlbiBzZXNhbWUvMQ==");
        for text in [told_by(&transcript, &scrubber), believe(&told(&transcript), &scrubber).expect("told").into()] {
            for piece in ["open", "sesa", "abcd", "YWRt"] {
                assert!(!text.contains(piece), "{filler}: {piece}: {text}");
            }
        }
    }
}

fn told_by(transcript: &Transcript, scrubber: &Scrubber) -> String {
    transcript.told(scrubber, "the end").expect("something was done").into_string()
}

#[test]
fn a_worker_is_not_believed() {
    let (url, _) = CameraUrl::parse("rtsp://cam/s").expect("url");
    let scrubber = Scrubber::new(&url, Some(&Credentials::new("admin", "sesame")));
    let said = format!("+1.0 ms > GET\n  Authorization: Basic x\n\u{1b}[31m\u{202e}sesame\r\n{}", "y".repeat(100_000));
    let text = believe(&said, &scrubber).expect("told");
    assert!(text.len() <= MAX_BYTES && text.starts_with("+1.0 ms > GET\n  Authorization: ***\n [31m ***"), "{text}");
    assert_eq!(believe("\n\u{0} \n", &scrubber), None);
}

#[test]
fn a_head_ends_at_its_empty_line() {
    let transcript = transcript();
    transcript.head(Who::We, "GET / HTTP/1.1\r\nHost: cam\r\n\r\nbody");
    assert_eq!(without_times(&told(&transcript)), ["> GET / HTTP/1.1", "  Host: cam", "= the end"]);
}
