//! Settings: cameras that are tried before they are added, a file that keeps its comments, and nothing typed that is lost.

use streampulse::simulator::{Auth, clips};

use super::*;
use crate::browser::Finds as _;

fn read(site: &Site) -> String {
    std::fs::read_to_string(site.config()).expect("config.yaml")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_camera_is_tried_before_it_is_added_and_goes_up() {
    let camera = SimulatedCamera::rtsp("Gate", clips::gate()).auth(Auth::digest("admin", "open/se:sam@me"));
    let simulator = simulate([camera]).await;
    let site = Site::new("# My cameras.\nheartbeat_seconds: 2\n");
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.heading("Add your first camera").seen().await;
    browser.field("Address").fill(&simulator.url_with_credentials("Gate")).await;
    browser.field("Name").fill("Gate").await;
    // User and password have moved to their fields.
    assert_eq!(browser.field("Address").value().await, simulator.url("Gate"));
    assert_eq!(browser.field("User").value().await, "admin");
    browser.field("Password").fill("wrong").await;
    browser.button("Test").click().await;
    browser.heading("Password refused").seen().await;
    browser.text("Check user and password").seen().await;
    browser.field("Password").fill("open/se:sam@me").await;
    browser.text("What is typed has changed since this test.").seen().await;
    browser.button("Test again").click().await;
    browser.picture("The picture that the test brought").shows_pictures(1).await;
    browser.heading("A usable picture").seen().await;
    assert_eq!(service.streams().len(), 0, "nothing is saved yet");
    browser.button("Save").click().await;
    browser.status("Gate is added and being probed.").seen().await;
    browser.heading("Gate").seen().await;
    browser.heading("Everything is fine").seen().await;
    browser.picture("Gate, last verified picture").shows_pictures(1).await;
    browser.link("Overview").click().await;
    browser.item("Gate").text("Up").seen().await;
    let text = read(&site);
    assert!(text.starts_with("# My cameras.\nheartbeat_seconds: 2\n") && text.contains("name: Gate"), "{text}");
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

const COMMENTED: &str = "# Of the gate keeper.
heartbeat_seconds: 60   # every minute
timezone: UTC

probe: {timeout_seconds: 10}   # slow cameras
streams:
  # the old one
  - name: \"Gate\"
    enabled: false
    url: 'rtsp://admin:hunter2@192.0.2.10/live'   # as the maker says
";

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_changed_in_its_place_and_the_rest_of_the_file_stays() {
    let site = Site::new(COMMENTED);
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.link("Settings").click().await;
    browser.link("General").click().await;
    browser.field("Deadline of a probe (seconds)").fill("15").await;
    browser.text("1 change is not saved").seen().await;
    browser.button("Save").click().await;
    browser.status("Saved and in use.").seen().await;
    assert_eq!(read(&site), COMMENTED.replace("timeout_seconds: 10", "timeout_seconds: 15"));

    browser.link("Streams").click().await;
    browser.link("Gate: Edit").click().await;
    browser.field("Group").fill("Entrance").await;
    browser.button("Save anyway").gone().await;
    browser.button("Save").click().await;
    browser.status("Gate is saved.").seen().await;
    let expected = COMMENTED.replace("timeout_seconds: 10", "timeout_seconds: 15");
    let text = read(&site);
    assert!(text.starts_with(&expected) && text.contains("group: Entrance"), "{text}");

    // What cannot be is said at its field, and nothing of it is written.
    browser.link("General").click().await;
    browser.field("Deadline of a probe (seconds)").fill("99").await;
    browser.excuse("status of 422");
    browser.button("Save").click().await;
    browser.alert("Nothing was saved").seen().await;
    assert_eq!(browser.field("Deadline of a probe (seconds)").attribute("aria-invalid").await.as_deref(), Some("true"));
    assert_eq!(read(&site), text);
    browser.button("Discard changes").click().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_on_disk_meanwhile_costs_nothing_that_was_typed() {
    let site = Site::new(COMMENTED);
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.open("/#/settings/general").await;
    browser.field("Heartbeat (seconds)").fill("30").await;
    browser.field("Deadline of a probe (seconds)").fill("15").await;
    site.configure(&COMMENTED.replace("60   # every minute", "45   # by somebody else"));
    browser.excuse("status of 412");
    browser.button("Save").click().await;
    let clash = browser.region("The file changed on disk meanwhile");
    let row = clash.row("Heartbeat (seconds)");
    row.text("45").seen().await;
    row.text("30").seen().await;
    // Only one of the two settings was changed by both.
    assert_eq!(clash.row("Deadline of a probe").count().await, 0);
    assert!(read(&site).contains("45   # by somebody else"), "nothing is saved yet");
    row.button("Heartbeat (seconds): Keep mine").click().await;
    browser.button("Save").click().await;
    browser.status("Saved and in use.").seen().await;
    let saved = COMMENTED.replace("60   # every minute", "30   # by somebody else").replace("10}", "15}");
    assert_eq!(read(&site), saved);

    // The same with the file as a whole.
    browser.open("/#/settings/file").await;
    let editor = browser.field("config.yaml");
    editor.fill(&saved.replace("Of the gate keeper", "Typed here")).await;
    site.configure(&saved.replace("the old one", "changed on disk"));
    browser.heading("The file changed on disk meanwhile").seen().await;
    let differences = browser.region("Differences");
    differences.text("changed on disk").seen().await;
    differences.text("Typed here").seen().await;
    browser.button("Load what is on disk, keep mine below").click().await;
    assert_eq!(editor.value().await, read(&site).replace("hunter2", "***"));
    assert!(browser.field("What you had typed").value().await.contains("# Typed here."));
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_file_is_marked_at_its_line_and_not_saved() {
    let site = Site::new(COMMENTED);
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.open("/#/settings/file").await;
    let editor = browser.field("config.yaml");
    let before = editor.value().await;
    assert!(before.contains("admin:***@") && !before.contains("hunter2"), "{before}");
    editor.fill(&before.replace("timeout_seconds: 10", "timeout_seconds: ten")).await;
    browser.excuse("status of 422");
    browser.button("Save").click().await;
    browser.alert("Nothing was saved: there is a problem.").text("\"ten\" is not a number").seen().await;
    browser.button("Line 5").click().await;
    let script = "const { value, selectionStart } = arguments[0]; return value.slice(0, selectionStart)";
    let before_line = editor.run(script).await;
    assert_eq!(before_line.as_str().map(|text| text.matches('\n').count()), Some(4));
    assert_eq!(read(&site), COMMENTED);
    // With the mistake gone it is saved, and the password that was never shown is still there.
    editor.fill(&before.replace("the old one", "the new one")).await;
    browser.button("Save").click().await;
    browser.status("Saved and in use.").seen().await;
    assert_eq!(read(&site), COMMENTED.replace("the old one", "the new one"));
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_cameras_comes_in_and_goes_out() {
    let cameras = ["Gate", "Yard"].map(|name| SimulatedCamera::rtsp(name, clips::gate()));
    let simulator = simulate(cameras).await;
    let site = Site::new(&format!("{SELDOM}{}", config_text(&simulator)));
    let service = site.start();
    let more = ["Hall", "Attic", "Shed"].map(|name| SimulatedCamera::rtsp(name, clips::gate()));
    let others = simulate(more).await;
    let browser = signed_in(&service).await;
    browser.open("/#/settings/streams/import").await;
    let lines = browser.field("Lines");
    lines.fill(&format!("Hall,{},,,Inside,day;night\nGate,rtsp://192.0.2.1/a\nnonsense", others.url("Hall"))).await;
    browser.status("3 lines, 2 with problems are left out").seen().await;
    browser.row("nonsense").text("No address: write name,url.").seen().await;
    browser.row("192.0.2.1").text("is taken by a camera that is there").seen().await;
    // A file takes the place of what was pasted.
    let file = site.path().join("cameras.csv");
    let rows = ["Hall", "Attic", "Shed"].map(|name| format!("{};\"{name}\";Inside", others.url(name)));
    std::fs::write(&file, format!("address;name;group\r\n{}\r\n", rows.join("\r\n"))).expect("a file");
    browser.files().attach(&file).await;
    browser.status("3 cameras found").seen().await;
    browser.checkbox("Take line 4: Shed").click().await;
    browser.button("Test them first").click().await;
    browser.status("2 with a picture, 0 without.").seen().await;
    browser.button("Add 2 cameras").click().await;
    browser.status("2 cameras added.").seen().await;
    browser.row("Attic").seen().await;
    assert_eq!(browser.row("Shed").count().await, 0);

    browser.button("Export list").click().await;
    let list = browser.downloaded("streams.csv").await;
    for name in ["Gate", "Yard", "Hall", "Attic"] {
        assert!(list.contains(name), "{name}: {list}");
    }
    browser.link("heartbeats.csv").click().await;
    let beats = browser.downloaded("heartbeats.csv").await;
    assert!(beats.contains("gate"), "{beats}");

    // A list that went out comes in again.
    browser.button("Attic: Remove").click().await;
    browser.dialog("Remove Attic?").button("Remove").click().await;
    browser.status("Attic removed.").seen().await;
    browser.row("Attic").gone().await;
    browser.link("Import").click().await;
    browser.field("Lines").fill(&list).await;
    browser.button("Add 1 camera").click().await;
    browser.row("Attic").seen().await;
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_are_paused_and_what_is_not_saved_is_not_lost_by_a_click() {
    let cameras = ["Gate", "Yard"].map(|name| SimulatedCamera::rtsp(name, clips::gate()));
    let simulator = simulate(cameras).await;
    let site = Site::new(&format!("{SELDOM}{}", config_text(&simulator)));
    let service = site.start();
    let browser = signed_in(&service).await;
    browser.open("/#/settings").await;
    browser.button("Gate: Pause").click().await;
    browser.status("Gate is switched off and not probed any more.").button("Undo").seen().await;
    browser.row("Gate").text("Switched off").seen().await;
    assert!(read(&site).contains("enabled: false"));
    browser.button("Undo").click().await;
    browser.row("Gate").text("Switched off").gone().await;
    assert_eq!(service.streams()["gate"]["enabled"], true);

    browser.link("Yard: Edit").click().await;
    browser.field("Name").fill("Back yard").await;
    browser.link("Help").click().await;
    browser.dialog("Leave without saving?").button("Cancel").click().await;
    assert_eq!(browser.field("Name").value().await, "Back yard");
    browser.link("Help").click().await;
    browser.dialog("Leave without saving?").button("Leave").click().await;
    browser.heading("Help").seen().await;
    assert!(service.streams()["yard"]["name"] == "Yard");
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
