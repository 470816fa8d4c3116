//! The dashboard with a thousand streams: how soon something is there, what is transferred for it, and whether it stays
//! smooth while all of them are probed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browser, Finds as _, Size};
use crate::machine::median;
use crate::service::PASSWORD;
use crate::thousand::{CAMERAS, HEARTBEAT_SECONDS, watched};

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

/// First content, bytes, pictures and long tasks of each view, watched for `seconds`.
pub async fn of_a_thousand(seconds: u64) {
    let (_simulator, _directory, service) = watched().await;
    let mut browser = Browser::start(service.address).await;
    browser.size(WINDOW).await;
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": NOTE_FIRST})).await;
    browser.devtools("Network.enable", json!({})).await;
    browser.open("/").await;
    browser.sign_in("admin", PASSWORD).await;
    println!(
        "dashboard of {CAMERAS} streams, each probed every {HEARTBEAT_SECONDS} s, in a window of {} × {}, with an empty \
         cache; simulator, probes and browser on the same cores; {LOADS} loads, then {seconds} s of updates",
        WINDOW.width_px, WINDOW.height_px
    );
    println!(
        "{:<12} {:>13} {:>7} {:>9} {:>9} {:>7} {:>9} {:>9} {:>8} {:>9}",
        "", "first content", "worst", "bytes", "requests", "shown", "pictures", "scrolled", "longest", "> 100 ms"
    );
    for (view, name) in VIEWS {
        let mut first = Vec::new();
        for _ in 0..LOADS {
            browser.devtools("Network.clearBrowserCache", json!({})).await;
            browser.open(&format!("/#/?view={view}")).await;
            browser.reload().await;
            first.push(number(&browser.until("the first card", "return window.__first", &[]).await));
            // What comes behind the first content is part of the load, too.
            settled(&browser).await;
        }
        let worst = first.iter().copied().fold(0.0, f64::max);
        let loaded = browser.run(TRANSFERRED, &[]).await;
        let from = number(&browser.run("return performance.now()", &[]).await);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let tasks: Vec<(f64, f64)> =
            browser.long_tasks(0.0).await.into_iter().filter(|(begun, _)| *begun >= from).collect();
        let longest = tasks.iter().map(|(_, length)| *length).fold(0.0, f64::max);
        let too_long = tasks.iter().filter(|(_, length)| *length > LONG_MS).count();
        browser.run("window.scrollTo(0, innerHeight)", &[]).await;
        settled(&browser).await;
        let scrolled = browser.run(TRANSFERRED, &[]).await;
        println!(
            "{name:<12} {:>10.0} ms {worst:>4.0} ms {:>6.0} kB {:>9} {:>7} {:>9} {:>9} {longest:>5.0} ms {too_long:>9}",
            median(first),
            number(&loaded[0]) / 1e3,
            number(&loaded[1]),
            number(&loaded[3]),
            number(&loaded[2]),
            number(&scrolled[2]),
        );
    }
    println!();
    browser.heading("Overview").seen().await;
    browser.done().await;
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
