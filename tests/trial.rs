//! `POST /api/probe`: a camera is tried before it is written into the configuration.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::decode_jpeg;
use common::service::{Service, Site};
use serde_json::{Value, json};
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Auth, SimulatedCamera, Simulator, SimulatorOptions, clips};

async fn simulate(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

fn tried(service: &Service, body: &Value) -> Value {
    let answer = service.post("/api/probe", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_tried_as_it_would_be_probed_and_shown() {
    let simulator = simulate([
        SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "a s3cret")),
        SimulatedCamera::rtsp("hd", clips::pattern_h264()),
    ])
    .await;
    // No stream is configured yet: the one to be tried is the first.
    let site = Site::new("probe: {snapshot_width_px: 640}\nstreams: []\n");
    let service = site.start();
    let account =
        json!({"url": simulator.url("gate"), "username": "admin", "password": "a s3cret", "transport": "tcp"});
    let told = tried(&service, &account);
    assert_eq!(
        (&told["outcome"], &told["reason"], &told["video"]["codec"]),
        (&json!("ok"), &json!("ok"), &json!("h264"))
    );
    assert!(told["phases_ms"]["keyframe"].is_number() && told["next_step"].is_null(), "{told}");
    assert!(told["url"].as_str().is_some_and(|url| url.contains("admin:***@")), "{told}");
    let hd = tried(&service, &json!({"url": simulator.url("hd")}));
    assert_eq!((&hd["video"]["width"], &hd["picture"]["issues"]), (&json!(1280), &json!([])), "{hd}");
    let jpeg = hd["snapshot"].as_str().and_then(|uri| uri.strip_prefix("data:image/jpeg;base64,")).expect("a picture");
    let picture = decode_jpeg(&STANDARD.decode(jpeg).expect("Base64"));
    assert_eq!((picture.width, picture.height), (640, 360));
    let nothing = tried(&service, &json!({"url": format!("{}/nothing-here", simulator.url("hd"))}));
    let why = (&nothing["outcome"], &nothing["stage"], &nothing["reason"], &nothing["snapshot"]);
    assert_eq!(why, (&json!("failed"), &json!("describe"), &json!("not_found"), &Value::Null));
    let (code, log) = service.stop();
    assert!(code == 0 && log.contains("probe.try") && !log.contains("s3cret"), "{log}");
    let total = simulator.total();
    assert_eq!((total.sessions_opened, total.teardowns), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_and_asks_no_camera() {
    let simulator =
        simulate([SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "a s3cret"))]).await;
    let site = Site::new(&format!("heartbeat_seconds: 3600\n{}", config_text(&simulator)));
    let service = site.start();
    service.streams_when(|streams| streams["gate"]["state"] == "up");
    let url = simulator.url("gate");
    let connections = simulator.counts("gate").connections;
    let paths = |body: &Value| {
        let answer = service.post("/api/probe", body);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (422, &json!("invalid")), "{}", answer.text());
        let details = answer.json()["error"]["details"].as_array().expect("details").clone();
        assert!(details.iter().all(|detail| detail["message"].as_str().is_some_and(|text| !text.contains("s3cret"))));
        details.iter().map(|detail| detail["path"].as_str().expect("a path").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&json!({"url": "file:///etc/passwd", "transport": "carrier pigeon"})), ["url", "transport"]);
    let stars = url.replacen("rtsp://", "rtsp://admin:***@", 1);
    assert_eq!(paths(&json!({"url": stars})), ["password"]);
    assert_eq!(paths(&json!({"url": "rtsp://admin:***@192.0.2.1/stream1", "stream": "gate"})), ["password"]);
    assert_eq!(service.post("/api/probe", &json!(["no object"])).status, 400);
    assert_eq!(service.post_as(None, "/api/probe", "{}").status, 401);
    assert_eq!(simulator.counts("gate").connections, connections);
    // To its own device and user the stored password may go.
    let told = tried(&service, &json!({"url": stars, "stream": "gate"}));
    assert_eq!(told["outcome"], "ok", "{told}");
    assert_eq!(simulator.counts("gate").requests_refused, 0);
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_not_tried_again_and_again() {
    let simulator = simulate([SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "right"))]).await;
    let site = Site::new("streams: []\n");
    let service = site.start();
    let guess = |service: &Service, password: &str| {
        let body = json!({"url": simulator.url("gate"), "username": "admin", "password": password});
        service.post("/api/probe", &body)
    };
    for _ in 0..2 {
        let answer = guess(&service, "wrong");
        assert_eq!((answer.status, &answer.json()["reason"]), (200, &json!("auth_failed")), "{}", answer.text());
    }
    let left_alone = |service: &Service, password: &str| {
        let answer = guess(service, password);
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (409, &json!("password_refused")),
            "{}",
            answer.text()
        );
    };
    left_alone(&service, "wrong");
    assert_eq!(guess(&service, "another").status, 200, "a third is risked on what was not refused yet");
    left_alone(&service, "one more");
    assert_eq!(simulator.counts("gate").requests_refused, 3);
    // Stored within the second in which the store commits; a restart keeps it.
    assert_eq!(service.stop().0, 0);
    let service = site.start();
    left_alone(&service, "wrong");
    assert_eq!(simulator.counts("gate").requests_refused, 3);
    assert_eq!(service.stop().0, 0);
}
