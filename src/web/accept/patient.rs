//! What lies between a client and hyper: patience with its end, and our own words where hyper would answer by itself.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::places::Place;
use super::refusal;

/// How long a client may refuse to take a single byte.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How fast a client has to take an answer while we have something for it, bytes a second, once it has used up
/// [`STALL_TIMEOUT`] in all.
const LEAST_BYTES_PER_SECOND: u64 = 4096;
/// For what a client still sends after an answer that ends the connection: closed on top of it, the connection would be
/// reset, and the answer lost with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// A stream whose writes fail when the other side takes too little, and which knows when an answer was sent.
pub(super) struct Patient<S> {
    inner: S,
    place: Arc<Place>,
    timer: Pin<Box<Sleep>>,
    /// Since when the client takes nothing.
    waiting: Option<Instant>,
    /// How long it took nothing while this answer was sent.
    waited: Duration,
    written_bytes: u64,
    /// What is left to be sent of our answer in the place of hyper's.
    ours: Option<Bytes>,
    lingering: Option<usize>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Patient<S> {
    pub(super) fn new(inner: S, place: Arc<Place>) -> Self {
        Self {
            inner,
            place,
            timer: Box::pin(sleep(STALL_TIMEOUT)),
            waiting: None,
            waited: Duration::ZERO,
            written_bytes: 0,
            ours: None,
            lingering: None,
        }
    }

    /// Ends our patience with the client.
    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if let Some(since) = self.waiting.take() {
                self.waited += since.elapsed();
                self.place.stalls(false);
            }
            return polled;
        }
        if self.waiting.is_none() {
            let now = Instant::now();
            let allowed = STALL_TIMEOUT + Duration::from_secs(self.written_bytes / LEAST_BYTES_PER_SECOND);
            self.timer.as_mut().reset(now + allowed.saturating_sub(self.waited).min(STALL_TIMEOUT));
            self.waiting = Some(now);
            self.place.stalls(true);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too few bytes")))
    }

    /// While no request is being answered, what hyper writes is its own answer to a head that it does not understand.
    fn in_our_words(&mut self, bytes: &[u8]) -> bool {
        if self.ours.is_none() && self.place.is_waiting() {
            self.ours = refusal::instead_of(bytes);
        }
        self.ours.is_some()
    }

    fn write_ours(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.ours.as_mut().filter(|rest| rest.has_remaining()) {
            let polled = Pin::new(&mut self.inner).poll_write(cx, rest);
            if let Poll::Ready(Ok(count)) = polled {
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest.advance(count);
            }
            ready!(self.watch(cx, polled))?;
        }
        // hyper's own is gone, whatever its length.
        Poll::Ready(Ok(length))
    }

    /// Reads away what still comes, for a while; there may be nothing, and then there is no wait.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = *self.lingering.get_or_insert_with(|| {
            self.timer.as_mut().reset(Instant::now() + LINGER);
            LINGER_BYTES
        });
        let mut buffer = [0; 4096];
        while left > 0 {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => left = left.saturating_sub(buffer.filled().len()),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.ours.is_none() && left == LINGER_BYTES => return Poll::Ready(()),
                Poll::Pending => {
                    self.lingering = Some(left);
                    return self.timer.as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.in_our_words(buf) {
            return self.write_ours(cx, buf.len());
        }
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.count(&polled);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        if self.in_our_words(first) {
            return self.write_ours(cx, bufs.iter().map(|buf| buf.len()).sum());
        }
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.count(&polled);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        let polled = self.watch(cx, polled);
        if matches!(polled, Poll::Ready(Ok(()))) && self.place.was_sent() {
            (self.waited, self.written_bytes) = (Duration::ZERO, 0);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        }
        self.linger(cx).map(Ok)
    }
}

impl<S> Patient<S> {
    fn count(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = polled {
            self.written_bytes += *count as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::places::Places;
    use super::*;

    fn place() -> Arc<Place> {
        let place = Places::default().take(Ipv4Addr::LOCALHOST.into(), false).unwrap();
        assert!(place.head_is_whole(false));
        Arc::new(place)
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_waited_for_half_a_minute() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let begun = Instant::now();
        let error = Patient::new(ours, place()).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_a_second_is_cut_off_soon_and_a_slow_line_is_not() {
        for (bytes_per_second, taken) in [(1_usize, false), (8192, true)] {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let begun = Instant::now();
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; bytes_per_second];
                while theirs.read_exact(&mut buffer).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            let mut patient = Patient::new(ours, place());
            let written = patient.write_all(&vec![0; 1_000_000]).await;
            assert_eq!(written.is_ok(), taken, "{bytes_per_second}");
            assert!(taken || begun.elapsed().as_secs() < 35, "{:?}", begun.elapsed());
            drop(patient);
            reading.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_its_own_patience() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let place = place();
        let mut patient = Patient::new(ours, place.clone());
        let reading = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                theirs.read_exact(&mut [0; 32]).await.unwrap();
            }
        });
        for _ in 0..4 {
            patient.write_all(&[0; 32]).await.unwrap();
            place.was_answered();
            patient.flush().await.unwrap();
            assert!(place.is_waiting() && place.head_is_whole(false));
        }
        reading.await.unwrap();
    }
}
