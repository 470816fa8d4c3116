//! What must not be found on any page: complaints in the console, and findings of axe-core.

use serde_json::{Value, json};

use super::Browser;
use super::driver::Command;

/// <https://github.com/dequelabs/axe-core>, as scripts/vendor fetches it.
const AXE: &str = include_str!("vendor/axe.min.js");

impl Browser {
    /// The test itself is the cause of lines in the console that hold this, as a wrong password is with `/api/login`. One
    /// at least must have come in the end.
    pub fn excuse(&self, part: &str) {
        self.excused.lock().expect("excused").push(part.to_owned());
    }

    /// The end of a test: the console has not complained of exceptions, of what the content security policy refused, of
    /// requests that failed, nor of anything else but what was excused.
    pub async fn done(mut self) {
        self.is_done = true;
        let (complaints, lines) = (self.complaints().await, self.console.lock().expect("console").join("\n"));
        assert!(complaints.is_empty(), "the console complains: {complaints:#?}");
        for part in self.excused.lock().expect("excused").iter() {
            assert!(lines.contains(part), "the console says nothing of {part:?}, only:\n{lines}");
        }
        self.client.clone().close().await.expect("the browser ends");
    }

    /// What the console complained of so far.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Command { path: "se/log", body: json!({"type": "browser"}) }).await;
        let mut lines = self.console.lock().expect("console");
        // Reading takes the lines away.
        for entry in log.expect("the console").as_array().into_iter().flatten() {
            if entry["level"] == "SEVERE" || entry["level"] == "WARNING" {
                lines.push(entry["message"].as_str().unwrap_or_default().to_owned());
            }
        }
        let excused = self.excused.lock().expect("excused");
        lines.iter().filter(|line| !excused.iter().any(|part| line.contains(part))).cloned().collect()
    }

    /// What axe-core finds on the page that is serious or critical, a line each.
    pub async fn findings(&self) -> Vec<String> {
        if self.run("return typeof axe", &[]).await == "undefined" {
            self.run(AXE, &[]).await;
        }
        let script = "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations \
                        .filter(({ impact }) => ['serious', 'critical'].includes(impact)) \
                        .flatMap(({ id, impact, nodes }) => nodes.map(({ target, failureSummary }) => \
                          `${id} (${impact}): ${target.join(' ')}: ${failureSummary}`)))";
        let findings = self.run(script, &[]).await;
        let findings = findings.as_array().into_iter().flatten().filter_map(Value::as_str);
        let place = self.whereabouts().await;
        findings.map(|finding| format!("{place}: {finding}")).collect()
    }

    /// Fails when it finds something.
    pub async fn is_accessible(&self) {
        let findings = self.findings().await;
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }

    /// Tasks of the page that took longer than this, with their length, both milliseconds since it was opened.
    pub async fn long_tasks(&self, longer_than_ms: f64) -> Vec<(f64, f64)> {
        let tasks = self.run("return window.__person.longTasks", &[]).await;
        let number = |task: &Value, field: &str| task[field].as_f64().unwrap_or_default();
        let tasks = tasks.as_array().into_iter().flatten();
        tasks
            .map(|task| (number(task, "startTime"), number(task, "duration")))
            .filter(|task| task.1 > longer_than_ms)
            .collect()
    }
}
