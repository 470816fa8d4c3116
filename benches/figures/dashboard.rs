//! The dashboard with a thousand streams, or five: how soon something is there, what is transferred for it, and whether it
//! stays smooth while all of them are probed.

use std::time::Duration;

use serde_json::{Value, json};
use streampulse::simulator::{Fault, SimulatedCamera, Start, clips};

use crate::browser::{Browser, Finds as _, Size};
use crate::machine::{idle, median};
use crate::service::PASSWORD;
use crate::watched::Fleet;

/// The views of the overview, as its address has them.
const VIEWS: [(&str, &str); 3] = [("cards", "cards"), ("dense", "small cards"), ("table", "table")];
/// Of a desk.
const WINDOW: Size = Size { name: "window", width_px: 1920, height_px: 1080, is_phone: false };
const LOADS: usize = 5;
/// What nobody may feel.
const LONG_MS: f64 = 100.0;

/// Notes when the first card or row with a name was painted: after the frame that draws it.
const NOTE_FIRST: &str = "performance.setResourceTimingBufferSize(10000); \
    const observer = new MutationObserver(() => { \
      if (!document.querySelector('article h2 a, tbody th a')?.textContent) return; \
      observer.disconnect(); \
      requestAnimationFrame(() => { \
        const channel = new MessageChannel(); \
        channel.port1.onmessage = () => { window.__first = performance.now(); }; \
        channel.port2.postMessage(null); \
      }); \
    }); \
    observer.observe(document, { subtree: true, childList: true, characterData: true });";

/// Bytes over the wire with their headers, without pictures; and how many pictures were asked for, of how many cards in
/// the window.
const TRANSFERRED: &str = "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]; \
    const pictures = all.filter(({ name }) => name.includes('/snapshot.jpg')); \
    const others = all.filter((entry) => !pictures.includes(entry)); \
    const shown = [...document.querySelectorAll('article')].filter((card) => { \
      const { top, bottom } = card.getBoundingClientRect(); \
      return bottom > 0 && top < innerHeight; \
    }); \
    const streams = new Set(pictures.map(({ name }) => new URL(name).pathname)); \
    return [others.reduce((sum, { transferSize }) => sum + transferSize, 0), others.length, streams.size, shown.length]";

/// First content, bytes and pictures of each view, while nothing is probed and while all are; long tasks meanwhile, for
/// `seconds`; and the same while every stream changes its state within two heartbeats.
pub async fn of(cameras: usize, heartbeat_seconds: u64, seconds: u64) {
    // Small pictures that come at once: what is measured is the page, not who else wants the processor.
    let camera = |name| SimulatedCamera::rtsp(name, clips::gate()).start(Start::KeyframeFirst);
    let fleet = Fleet::start_many(cameras, 3600, camera).await;
    let mut browser = Browser::start(fleet.service.address).await;
    browser.size(WINDOW).await;
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": NOTE_FIRST})).await;
    browser.devtools("Network.enable", json!({})).await;
    // Processor time of the page's main thread, whoever else is waited for.
    browser.devtools("Performance.enable", json!({"timeDomain": "threadTicks"})).await;
    browser.open("/").await;
    browser.sign_in("admin", PASSWORD).await;
    println!(
        "dashboard of {cameras} streams in a window of {} × {}, loaded {LOADS} times with an empty cache and scrolled by one \
         window; service, simulator and browser on the same cores",
        WINDOW.width_px, WINDOW.height_px
    );
    println!(
        "{:<34} {:>13} {:>7} {:>8} {:>9} {:>6} {:>9} {:>9}",
        "", "first content", "worst", "bytes", "requests", "cards", "pictures", "scrolled"
    );
    for (view, name) in VIEWS {
        load(&browser, view, &format!("{name}, nothing is probed")).await;
    }
    fleet.probe_every(heartbeat_seconds).await;
    let mut updates = Vec::new();
    for (view, name) in VIEWS {
        load(&browser, view, &format!("{name}, probed every {heartbeat_seconds} s")).await;
        updates.push((name.to_owned(), updates_of(&browser, seconds).await));
    }
    for (index, (view, name)) in VIEWS.into_iter().enumerate() {
        browser.open(&format!("/#/?view={view}")).await;
        browser.run("window.scrollTo(0, innerHeight)", &[]).await;
        settled(&browser).await;
        let (fault, event) =
            if index % 2 == 0 { (Some(Fault::Status(404)), "all go down") } else { (None, "all come back") };
        fleet.all(fault).await;
        updates.push((format!("{name}, {event}"), updates_of(&browser, seconds).await));
    }
    println!("\ntasks over 50 ms in {seconds} s of updates, each stream probed every {heartbeat_seconds} s");
    println!(
        "{:<34} {:>6} {:>8} {:>9} {:>19} {:>16}",
        "", "tasks", "longest", "> 100 ms", "CPU of the page", "processors idle"
    );
    for (name, Updates { lengths_ms, page, idle }) in updates {
        let longest = lengths_ms.iter().copied().fold(0.0, f64::max);
        let too_long = lengths_ms.iter().filter(|length| **length > LONG_MS).count();
        println!(
            "{name:<34} {:>6} {longest:>5.0} ms {too_long:>9} {:>17.0} % {:>14.0} %",
            lengths_ms.len(),
            100.0 * page,
            100.0 * idle
        );
    }
    println!();
    browser.heading("Overview").seen().await;
    browser.done().await;
}

/// Prints a row.
async fn load(browser: &Browser, view: &str, name: &str) {
    let mut first = Vec::new();
    for _ in 0..LOADS {
        browser.devtools("Network.clearBrowserCache", json!({})).await;
        browser.open(&format!("/#/?view={view}")).await;
        browser.reload().await;
        first.push(number(&browser.until("the first card", "return window.__first", &[]).await));
        // What comes behind the first content is part of the load, too.
        settled(browser).await;
    }
    let worst = first.iter().copied().fold(0.0, f64::max);
    let loaded = browser.run(TRANSFERRED, &[]).await;
    browser.run("window.scrollTo(0, innerHeight)", &[]).await;
    settled(browser).await;
    let scrolled = browser.run(TRANSFERRED, &[]).await;
    println!(
        "{name:<34} {:>10.0} ms {worst:>4.0} ms {:>5.0} kB {:>9} {:>6} {:>9} {:>9}",
        median(first),
        number(&loaded[0]) / 1e3,
        number(&loaded[1]),
        number(&loaded[3]),
        number(&loaded[2]),
        number(&scrolled[2]),
    );
}

/// What updates cost.
struct Updates {
    /// Tasks of more than 50 ms (<https://w3c.github.io/longtasks/>), by the clock.
    lengths_ms: Vec<f64>,
    /// Processor time of the page's main thread, as a share of the time.
    page: f64,
    /// The share of the time for which the processors had nothing to do: with none, tasks are long by waiting.
    idle: f64,
}

async fn updates_of(browser: &Browser, seconds: u64) -> Updates {
    let from = number(&browser.run("return performance.now()", &[]).await);
    let (busy_before, idle_before) = (busy_seconds(browser).await, idle());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (busy_after, idle_after) = (busy_seconds(browser).await, idle());
    let tasks = browser.long_tasks(0.0).await;
    Updates {
        lengths_ms: tasks.into_iter().filter(|(begun, _)| *begun >= from).map(|(_, length)| length).collect(),
        page: (busy_after - busy_before) / seconds as f64,
        idle: (idle_after.0 - idle_before.0) / (idle_after.1 - idle_before.1),
    }
}

/// Processor time that tasks of the page's main thread took so far.
async fn busy_seconds(browser: &Browser) -> f64 {
    let answer = browser.devtools("Performance.getMetrics", json!({})).await;
    let metrics = answer["metrics"].as_array().into_iter().flatten();
    metrics.filter(|metric| metric["name"] == "TaskDuration").map(|metric| number(&metric["value"])).sum()
}

/// Waits until all pictures that were asked for are there.
async fn settled(browser: &Browser) {
    let script = "const asked = [...document.images].filter((image) => image.getBoundingClientRect().top < innerHeight); \
                  return asked.every((image) => image.complete)";
    browser.until("pictures", script, &[]).await;
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}
