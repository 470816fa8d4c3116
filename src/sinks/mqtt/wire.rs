//! Packets over a connection: bytes one after the other, or in the messages of a WebSocket.

use std::future::poll_fn;
use std::io;

use bytes::{Buf as _, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::packet::{Incoming, Outgoing, SMALL_BYTES, TooLarge, Unread, Version, oversized};

/// A message of a WebSocket is held whole before it is looked into: the largest that somebody may send to a topic of ours
/// without putting us out. A packet of MQTT beside that is passed over piece by piece, whatever its length.
pub(super) const MAX_WEBSOCKET_BYTES: usize = 16 * 1024 * 1024;
/// Room for what one read brings.
const READ_BYTES: usize = 8 * 1024;
/// The first byte of a broker's first packet (MQTT 3.1.1, 3.2.1).
const CONNACK: u8 = 0x20;
/// The first byte of a record of TLS (RFC 8446, 5.1); the second is 3.
const TLS_ALERT: u8 = 0x15;
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection, whatever it is made of.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What carries the bytes.
pub(super) enum Carrier {
    /// TCP or TLS.
    Plain(Box<dyn Duplex>),
    /// The same with a WebSocket over it.
    WebSocket(Box<WebSocketStream<Box<dyn Duplex>>>),
}

/// Why no more packets come or go.
#[derive(Debug)]
pub(super) enum Lost {
    /// The other side hung up.
    Closed,
    /// The connection broke, or TLS gave it up.
    Broken(io::Error),
    /// The other side's first bytes are HTTP.
    Http,
    /// The other side's first bytes are TLS.
    Tls,
    /// What came is no MQTT. It is not shown: it may be what we sent.
    Garbage,
    /// A message of this size does not go.
    TooLarge(usize),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Closed,
            _ => Self::Broken(error),
        }
    }
}

impl From<tungstenite::Error> for Lost {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Self::Closed,
            tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed
            }
            tungstenite::Error::Io(error) => error.into(),
            _ => Self::Garbage,
        }
    }
}

/// A connection with what came over it and was not looked at, and what is to go and did not yet. Reading and flushing can
/// be broken off at any time and begun again.
pub(super) struct Wire {
    carrier: Carrier,
    version: Version,
    /// The broker takes no larger packet.
    max_packet_bytes: usize,
    /// We keep no larger message.
    max_incoming_bytes: usize,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Bytes to come of a message that is passed over.
    to_skip: usize,
    has_spoken: bool,
}

impl Wire {
    pub(super) fn new(carrier: Carrier, version: Version) -> Self {
        Self {
            carrier,
            version,
            max_packet_bytes: usize::MAX,
            max_incoming_bytes: SMALL_BYTES,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            to_skip: 0,
            has_spoken: false,
        }
    }

    /// From now on larger messages are kept, up to this.
    pub(super) fn keep(&mut self, max_incoming_bytes: usize) {
        self.max_incoming_bytes = max_incoming_bytes;
    }

    /// From now on no larger packet goes.
    pub(super) fn limit(&mut self, max_packet_bytes: usize) {
        self.max_packet_bytes = max_packet_bytes;
    }

    /// Puts a packet behind those that are to go.
    ///
    /// # Errors
    /// When it is too large; then nothing of it goes.
    pub(super) fn put(&mut self, packet: &Outgoing<'_>) -> Result<(), Lost> {
        let written = self.version.write(packet, self.max_packet_bytes, &mut self.outgoing);
        written.map_err(|TooLarge(bytes)| Lost::TooLarge(bytes))
    }

    /// What waits to go, as far as it is known: what a WebSocket has taken is with it.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.outgoing.len()
    }

    /// Sends what is to go.
    pub(super) async fn flush(&mut self) -> Result<(), Lost> {
        match &mut self.carrier {
            Carrier::Plain(stream) => {
                while self.outgoing.has_remaining() {
                    if stream.write_buf(&mut self.outgoing).await? == 0 {
                        return Err(Lost::Closed);
                    }
                }
                stream.flush().await?;
            }
            Carrier::WebSocket(socket) => {
                if self.outgoing.has_remaining() {
                    poll_fn(|context| socket.poll_ready_unpin(context)).await?;
                    // MQTT 3.1.1, section 6: where a message of the WebSocket ends means nothing.
                    socket.start_send_unpin(Message::Binary(self.outgoing.split().freeze()))?;
                }
                socket.flush().await?;
            }
        }
        Ok(())
    }

    /// The next packet.
    pub(super) async fn read(&mut self) -> Result<Incoming, Lost> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            match &mut self.carrier {
                Carrier::Plain(stream) => {
                    self.incoming.reserve(READ_BYTES);
                    if stream.read_buf(&mut self.incoming).await? == 0 {
                        return Err(Lost::Closed);
                    }
                }
                Carrier::WebSocket(socket) => match socket.next().await {
                    None | Some(Ok(Message::Close(_))) => return Err(Lost::Closed),
                    Some(Ok(Message::Binary(bytes))) => self.incoming.extend_from_slice(&bytes),
                    Some(Ok(Message::Text(_) | Message::Frame(_))) => return Err(Lost::Garbage),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Err(error)) => return Err(error.into()),
                },
            }
        }
    }

    /// A packet of what came, when it is whole.
    fn take(&mut self) -> Result<Option<Incoming>, Lost> {
        if !self.has_spoken {
            match &self.incoming[..] {
                [] | [CONNACK, ..] => {}
                begin if begin.len() < 4 && b"HTTP".starts_with(begin) => return Ok(None),
                [b'H', b'T', b'T', b'P', ..] => return Err(Lost::Http),
                [TLS_ALERT | TLS_HANDSHAKE] => return Ok(None),
                [TLS_ALERT | TLS_HANDSHAKE, 3, ..] => return Err(Lost::Tls),
                // Some of it would read as the begin of a packet, for whose end we would wait.
                _ => return Err(Lost::Garbage),
            }
        }
        if self.to_skip == 0 && self.has_spoken {
            self.to_skip = oversized(&self.incoming, self.max_incoming_bytes).unwrap_or(0);
        }
        if self.to_skip > 0 {
            let here = self.to_skip.min(self.incoming.len());
            self.incoming.advance(here);
            self.to_skip -= here;
            return Ok((self.to_skip == 0).then_some(Incoming::Oversized));
        }
        match self.version.read(self.max_incoming_bytes, &mut self.incoming) {
            Ok(packet) => {
                self.has_spoken = true;
                Ok(Some(packet))
            }
            Err(Unread::Incomplete) => Ok(None),
            Err(Unread::Garbage) => Err(Lost::Garbage),
        }
    }

    /// Sends what is to go, hangs up, and waits until the other side has, so that it has read all of it.
    pub(super) async fn close(mut self) -> Result<(), Lost> {
        self.flush().await?;
        match &mut self.carrier {
            Carrier::Plain(stream) => {
                stream.shutdown().await?;
                while stream.read_buf(&mut self.incoming).await? > 0 {
                    self.incoming.clear();
                }
            }
            Carrier::WebSocket(socket) => {
                WebSocketStream::close(socket, None).await?;
                while let Some(Ok(_)) = socket.next().await {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn pair() -> (Wire, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(16);
        (Wire::new(Carrier::Plain(Box::new(ours)), Version::V3), theirs)
    }

    #[tokio::test]
    async fn packets_come_whole_however_they_are_cut() {
        let (mut wire, mut theirs) = pair();
        let sent = tokio::spawn(async move {
            for byte in [0x20, 2, 0, 0, 0x40, 2, 0, 7, 0xd0, 0] {
                theirs.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs
        });
        assert!(matches!(wire.read().await.unwrap(), Incoming::ConnAck(Ok(_))));
        assert_eq!(wire.read().await.unwrap(), Incoming::PubAck { packet_id: 7, refused: None });
        assert_eq!(wire.read().await.unwrap(), Incoming::PingResp);
        drop(sent.await.unwrap());
        assert!(matches!(wire.read().await, Err(Lost::Closed)));
    }

    #[tokio::test]
    async fn what_is_no_mqtt_is_told_apart() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "Http"),
            (&[0x15, 3, 3, 0, 2, 2, 70], "Tls"),
            (b"SSH-2.0-x\r\n", "Garbage"),
            (b"\0\0", "Garbage"),
            // A packet of 256 MB is not waited for.
            (&[0x20, 0xff, 0xff, 0xff, 0x7f], "Garbage"),
            (&[0x10, 20, 0, 4, b'M', b'Q', b'T', b'T', 4], "Garbage"),
        ] {
            let (mut wire, mut theirs) = pair();
            let told = tokio::spawn(async move { wire.read().await.err() });
            // It need not take all of it.
            let _ = theirs.write_all(bytes).await;
            assert_eq!(format!("{:?}", told.await.unwrap().unwrap()), expected, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_flush_that_was_broken_off_goes_on_where_it_was() {
        let (mut wire, mut theirs) = pair();
        for packet_id in 1..=20 {
            wire.put(&Outgoing::PubRel { packet_id }).unwrap();
        }
        // Sixteen bytes fit into the pipe, and then it waits.
        assert!(wire.flush().now_or_never().is_none());
        let rest = tokio::spawn(async move { wire.flush().await });
        let mut bytes = [0; 80];
        theirs.read_exact(&mut bytes).await.unwrap();
        rest.await.unwrap().unwrap();
        assert!(bytes.chunks(4).enumerate().all(|(i, packet)| packet == [0x62, 2, 0, i as u8 + 1]), "{bytes:?}");
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_passed_over_without_being_held() {
        let (mut wire, mut theirs) = pair();
        let sent = tokio::spawn(async move {
            theirs.write_all(&[0x20, 2, 0, 0]).await.unwrap();
            // Ten megabytes to `a`.
            theirs.write_all(&[0x30, 0x83, 0xad, 0xe2, 0x04, 0, 1, b'a']).await.unwrap();
            for _ in 0..10_000 {
                theirs.write_all(&[b'x'; 1_000]).await.unwrap();
            }
            theirs.write_all(&[0x40, 2, 0, 7]).await.unwrap();
            theirs
        });
        assert!(matches!(wire.read().await.unwrap(), Incoming::ConnAck(Ok(_))));
        assert_eq!(wire.read().await.unwrap(), Incoming::Oversized);
        assert_eq!(wire.read().await.unwrap(), Incoming::PubAck { packet_id: 7, refused: None });
        assert!(wire.incoming.capacity() < 100_000, "{}", wire.incoming.capacity());
        drop(sent.await.unwrap());
    }
}
