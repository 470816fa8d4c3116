//! What a client is connected by: TCP, or TLS on top of it.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// What the client sends.
pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// What it is sent.
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Certificate chain and private key of a camera, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Identity {
    /// Ready to shake hands; `None` when one of the two is not what it should be.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).ok()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let config = config.with_no_client_auth().with_single_cert(chain, key).ok()?;
        Some(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Both directions of a connection, after the handshake if there is one.
pub(super) async fn open(stream: TcpStream, tls: Option<&TlsAcceptor>) -> io::Result<(Reader, Writer)> {
    match tls {
        None => {
            let (reader, writer) = stream.into_split();
            Ok((Box::new(reader), Box::new(writer)))
        }
        Some(tls) => {
            let (reader, writer) = tokio::io::split(tls.accept(stream).await?);
            Ok((Box::new(reader), Box::new(writer)))
        }
    }
}
