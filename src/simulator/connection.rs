//! One TCP connection of a client: never blocked by a client that does not read.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::request::Request;
use super::wire::{Reader, Writer};

/// A client that takes nothing for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The session timeout of the `Session` header: a client that says nothing for this long is gone.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// What happened next.
#[derive(Debug)]
pub(super) enum Event {
    /// A request came.
    Request(Request),
    /// What was asked to be woken for is due.
    Due,
    /// The connection has ended, or must.
    Ended,
}

/// A connection with what was received and not read, and what is to be sent and was not taken.
pub(super) struct Connection {
    reader: Reader,
    writer: Writer,
    peer: SocketAddr,
    inbox: BytesMut,
    /// Bounded by its users: a picture is not added while [`Self::backlog_bytes`] is large.
    pub(super) outbox: Vec<u8>,
    sent: usize,
    /// TLS may hold back a part of what it took.
    unflushed: bool,
    /// When the client last took something, or had nothing to take.
    last_taken: Instant,
    last_heard: Instant,
    until: CancellationToken,
}

impl Connection {
    pub(super) fn new((reader, writer): (Reader, Writer), peer: SocketAddr, until: CancellationToken) -> Self {
        let now = Instant::now();
        Self {
            reader,
            writer,
            peer,
            inbox: BytesMut::new(),
            outbox: Vec::new(),
            sent: 0,
            unflushed: false,
            last_taken: now,
            last_heard: now,
            until,
        }
    }

    /// From now on it ends with this token.
    pub(super) fn end_with(&mut self, until: CancellationToken) {
        self.until = until;
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How many bytes the client has not taken yet.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// Sends what is to be sent until something happens. Waits at most for the session timeout.
    pub(super) async fn next(&mut self, due: Option<Instant>) -> io::Result<Event> {
        loop {
            match Request::take(&mut self.inbox) {
                Ok(Some(request)) => return Ok(Event::Request(request)),
                Ok(None) => {}
                Err(_) => return Ok(Event::Ended),
            }
            let behind = self.backlog_bytes() > 0;
            if !behind {
                self.last_taken = Instant::now();
            }
            // Moves little: at most as much as was sent.
            if self.sent * 2 >= self.outbox.len() {
                self.outbox.drain(..self.sent);
                self.sent = 0;
            }
            let give_up = if behind { self.last_taken + WRITE_TIMEOUT } else { self.last_heard + SESSION_TIMEOUT };
            let wake = due.map_or(give_up, |due| due.min(give_up));
            let (writer, unsent) = (&mut self.writer, &self.outbox[self.sent..]);
            // One operation at a time, each of which may be given up without a loss.
            let writing = async { if behind { writer.write(unsent).await } else { writer.flush().await.map(|()| 0) } };
            tokio::select! {
                biased;
                () = self.until.cancelled() => return Ok(Event::Ended),
                read = self.reader.read_buf(&mut self.inbox) => {
                    if read? == 0 {
                        return Ok(Event::Ended);
                    }
                    self.last_heard = Instant::now();
                }
                written = writing, if behind || self.unflushed => {
                    self.sent += written?;
                    self.unflushed = behind;
                    self.last_taken = Instant::now();
                }
                () = sleep_until(wake) => {
                    return Ok(if due.is_some_and(|due| due <= wake) { Event::Due } else { Event::Ended });
                }
            }
        }
    }

    /// Sends what is left to send, then ends.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        let rest = async {
            self.writer.write_all(&self.outbox[self.sent..]).await?;
            self.writer.shutdown().await
        };
        tokio::time::timeout(WRITE_TIMEOUT, rest).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Sends `chunk` again and again, `pause` apart, until the client goes or the camera changes.
    pub(super) async fn pour(mut self, chunk: &[u8], pause: Duration) -> io::Result<()> {
        let until = self.until.clone();
        let pouring = async {
            self.writer.write_all(&self.outbox[self.sent..]).await?;
            loop {
                self.writer.write_all(chunk).await?;
                self.writer.flush().await?;
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = until.cancelled() => Ok(()),
            ended = pouring => ended,
        }
    }

    /// Says nothing and hears nothing until the client goes or the camera changes.
    pub(super) async fn be_silent(mut self) -> io::Result<()> {
        loop {
            let until = self.until.clone();
            tokio::select! {
                () = until.cancelled() => return Ok(()),
                read = self.reader.read_buf(&mut self.inbox) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    let heard = self.inbox.len();
                    self.inbox.advance(heard);
                }
            }
        }
    }
}
