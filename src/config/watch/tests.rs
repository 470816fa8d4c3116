use super::*;
use crate::clock::SystemClock;
use crate::config::load;

const TWO: &str = "streams:\n  - {name: A, url: rtsp://a/1}\n  - {name: B, url: rtsp://b/1}\n";

struct Bench {
    _dir: tempfile::TempDir,
    path: PathBuf,
    config: watch::Receiver<Arc<Config>>,
    status: watch::Receiver<ReloadStatus>,
    handle: WatchHandle,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn bench(text: &str) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let (config, handle, watcher) =
        watch(path.clone(), load(&path).unwrap(), Overrides::default(), Arc::new(SystemClock));
    let cancel = CancellationToken::new();
    let task = tokio::spawn(watcher.run(cancel.clone()));
    Bench { _dir: dir, path, config, status: handle.subscribe(), handle, cancel, task }
}

impl Bench {
    /// As an editor saves: a new file takes the place of the old one.
    fn replace(&self, text: &str) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.path).unwrap();
    }

    async fn status(&mut self) -> ReloadStatus {
        self.status.changed().await.unwrap();
        self.status.borrow_and_update().clone()
    }

    async fn end(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_taken_and_unchanged_streams_stay_the_same() {
    let mut bench = bench(TWO);
    let before = Arc::clone(&bench.config.borrow());
    bench.replace(&TWO.replace("rtsp://b/1", "rtsp://b/2"));
    bench.config.changed().await.unwrap();
    let after = Arc::clone(&bench.config.borrow_and_update());
    assert!(Arc::ptr_eq(&before.streams[0], &after.streams[0]));
    assert!(!Arc::ptr_eq(&before.streams[1], &after.streams[1]));
    assert_eq!(after.streams[1].url.path_and_query(), "/2");

    // Written in place, as through a bind mount.
    std::fs::write(&bench.path, format!("heartbeat_seconds: 30\n{TWO}")).unwrap();
    bench.config.changed().await.unwrap();
    assert_eq!(bench.config.borrow().heartbeat, Duration::from_secs(30));
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_keeps_the_last_good_configuration() {
    let mut bench = bench(TWO);
    let before = Arc::clone(&bench.config.borrow());
    bench.replace(&TWO.replace("rtsp://b", "rtps://b"));
    let status = bench.status().await;
    assert!(!status.ok);
    assert_eq!(status.problems[0].to_string(), "line 3: streams[1].url: unknown scheme \"rtps\"; did you mean rtsp?");
    assert!(Arc::ptr_eq(&before, &bench.config.borrow()) && !bench.config.has_changed().unwrap());

    std::fs::remove_file(&bench.path).unwrap();
    let status = bench.status().await;
    assert!(!status.ok && status.problems[0].message.starts_with("no such file"), "{status:?}");

    bench.replace(TWO);
    let status = bench.status().await;
    assert!(status.ok && status.problems.is_empty(), "{status:?}");
    assert!(!bench.config.has_changed().unwrap(), "the same settings are no new configuration");
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_can_be_asked_for_and_equal_settings_change_nothing() {
    let mut bench = bench(TWO);
    bench.replace(&format!("# a comment\n{TWO}"));
    bench.handle.reload();
    let status = bench.status().await;
    assert!(status.ok && status.reloads == 1, "{status:?}");
    assert!(!bench.config.has_changed().unwrap());
    assert_eq!(bench.handle.status(), status);
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_before_the_task_starts_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, TWO).unwrap();
    let (mut config, _handle, watcher) =
        watch(path.clone(), load(&path).unwrap(), Overrides::default(), Arc::new(SystemClock));
    std::fs::write(&path, "streams: []\n").unwrap();
    let cancel = CancellationToken::new();
    let task = tokio::spawn(watcher.run(cancel.clone()));
    config.changed().await.unwrap();
    assert!(config.borrow().streams.is_empty());
    cancel.cancel();
    task.await.unwrap();
}
