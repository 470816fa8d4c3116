//! The threads of the web server: their own, and behind probing in the queue for the processor. Whoever asks for much shall
//! wait for it; a camera that is probed late is a figure that is wrong for ever.

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::web::{self, WebParts};

/// How far behind, in the steps of nice(2): a third of the processor where both want all of it.
const NICE: i32 = 5;

/// Serves on threads of its own until `cancel`.
pub(super) async fn serve(listener: TcpListener, parts: WebParts, cancel: CancellationToken) {
    match start(listener, parts, cancel) {
        Ok((_threads, serving)) => {
            if let Err(error) = serving.await {
                tracing::error!("the web server was broken off: {error}");
            }
        }
        Err(error) => tracing::error!("the web server's threads could not be started: {error}"),
    }
}

/// They end with this.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // What may still run there are hashes of passwords, for clients that are gone.
            runtime.shutdown_background();
        }
    }
}

fn start(
    listener: TcpListener,
    parts: WebParts,
    cancel: CancellationToken,
) -> std::io::Result<(Threads, JoinHandle<()>)> {
    let listener = listener.into_std()?;
    let runtime = Builder::new_multi_thread().enable_all().thread_name("web").on_thread_start(step_back).build()?;
    let serving = runtime.spawn(async move {
        let served = match TcpListener::from_std(listener) {
            Ok(listener) => web::serve(listener, parts, cancel).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = served {
            tracing::error!("{error}");
        }
    });
    Ok((Threads(Some(runtime)), serving))
}

/// On Linux it holds for the calling thread only, and for those that it starts.
fn step_back() {
    // Refused by some containers: then all are equal, as before.
    let _ = rustix::process::nice(NICE);
}
