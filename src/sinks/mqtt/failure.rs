//! What may go wrong on the way to a broker and with it: a sentence for a person, and the next step.

use super::broker::Broker;
use crate::sinks::tls::of_file;

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The host's address.
    Resolve,
    /// TCP, and the WebSocket where it is one.
    Connect,
    /// The handshake, and before it the files that it needs.
    Tls,
    /// CONNECT and its answer.
    Login,
    /// From then on.
    Publish,
}

impl Stage {
    /// The text of the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Publish => "publish",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing, for too long.
    Late,
    /// The connection was closed by the other side.
    Closed,
    /// The connection broke, as the operating system says.
    Broken(String),
    /// There is no such name.
    NameUnknown,
    /// No name server answered, or none that works.
    NoNameServer,
    /// Nobody listens there.
    Refused,
    /// No connection, as the operating system says.
    Unreachable(String),
    /// Something of this machine's own is used up.
    Overloaded,
    /// A file that the settings name cannot be used: which, and what is wrong with it.
    File { setting: &'static str, problem: String },
    /// This machine has no authorities.
    NoAuthorities,
    /// The other side does not speak TLS.
    NoTls,
    /// No version or cipher in common.
    NoCommonTls,
    /// The broker's certificate: signed by a stranger.
    UnknownIssuer { own_authority: bool },
    /// The broker's certificate: over.
    Expired,
    /// The broker's certificate: not begun.
    NotYetValid,
    /// The broker's certificate: for another name.
    OtherName,
    /// The broker's certificate: something else.
    BadCertificate(String),
    /// The broker wants a certificate of ours.
    CertificateWanted,
    /// The broker does not take our certificate.
    CertificateRefused,
    /// The handshake failed in another way.
    Handshake(String),
    /// A web server that knows no WebSocket there, with its status.
    NotWebSocket(u16),
    /// A WebSocket for something else.
    OtherWebSocket,
    /// The answer is HTTP.
    SpeaksHttp,
    /// The answer is TLS.
    SpeaksTls,
    /// The answer is no MQTT.
    NotMqtt,
    /// CONNACK 1.
    VersionRefused,
    /// CONNACK 2.
    ClientIdRefused(String),
    /// CONNACK 3.
    Unavailable,
    /// CONNACK 4 and 5; what of the two is sent differs between brokers.
    LoginRefused { with_user: bool },
    /// Larger than MQTT, or we, allow.
    TooLarge(usize),
    /// The broker answers no ping.
    Silent,
    /// The broker takes messages and does not say so.
    NotAcknowledged,
    /// MQTT 5: the broker does not take this message: topic and reason.
    NotTaken { topic: String, why: String },
    /// MQTT 5: the broker hangs up, and says why.
    Dismissed(String),
    /// MQTT 5: the broker keeps no message.
    NoRetain,
    /// MQTT 5: the broker takes no message of this QoS.
    QosRefused(u8),
}

/// What happened, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) fault: Fault,
}

impl Failure {
    pub(super) fn at(stage: Stage, fault: Fault) -> Self {
        Self { stage, fault }
    }

    /// What happened, in one sentence, and the next step in another.
    pub(super) fn words(&self, broker: &Broker) -> (String, String) {
        let (host, at, port, key) = (&broker.host, broker.authority(), broker.port, broker.port_key());
        let place = format!("Check mqtt.host and {key}");
        let (message, next_step): (String, String) = match (&self.fault, self.stage) {
            (Fault::Late, Stage::Resolve) => ("The name server does not answer in time.".into(), name_server()),
            (Fault::Late, Stage::Connect) if broker.is_websocket() => (
                format!("{at} does not answer, or not as a WebSocket."),
                format!("{place}; a firewall that drops packets looks like this, too."),
            ),
            (Fault::Late, Stage::Connect) => (
                format!("{host} does not answer on port {port}."),
                format!("{place}; a firewall that drops packets looks like this, too."),
            ),
            (Fault::Late, Stage::Tls) => (
                format!("{at} takes the connection and does not answer the TLS handshake."),
                format!("{place}: it must be the port on which the broker speaks TLS."),
            ),
            (Fault::Late, Stage::Login) => (
                format!("{at} takes the connection and says nothing."),
                format!("{place}; a port for TLS, or for something that is no MQTT broker, looks like this, too."),
            ),
            (Fault::Late | Fault::NotAcknowledged, Stage::Publish) | (Fault::NotAcknowledged, _) => (
                "The broker does not acknowledge a message.".into(),
                "Look into the broker's log: it may be overloaded.".into(),
            ),
            (Fault::NameUnknown, _) => (
                format!("There is no host named {host}."),
                "Check mqtt.host, and that this machine's name server knows the name.".into(),
            ),
            (Fault::NoNameServer, _) => (format!("No name server answers for {host}."), name_server()),
            (Fault::Refused, _) => (
                format!("{host} refuses connections on port {port}."),
                format!(
                    "Start the broker, or correct mqtt.host and {key}. Mosquitto without a `listener` line answers its own machine only."
                ),
            ),
            (Fault::Unreachable(why), _) => (
                format!("There is no way to {at}: {why}."),
                "Check mqtt.host, the network between, and its firewalls.".into(),
            ),
            (Fault::Overloaded, _) => (
                "This machine has too much to do to open a connection.".into(),
                "Look for what uses up its memory, processes or open files.".into(),
            ),
            (Fault::File { setting, problem }, _) => of_file(setting, problem),
            (Fault::NoAuthorities, _) => (
                "This machine has no certificates of authorities, so that no broker can be trusted.".into(),
                "Install them (apt install ca-certificates), or name the broker's authority as mqtt.ca_file.".into(),
            ),
            (Fault::NoTls, _) | (Fault::Closed, Stage::Tls) => (
                format!("{at} does not speak TLS."),
                format!("Check {key}: it must be the port on which the broker speaks TLS. Or set mqtt.use_tls: false."),
            ),
            (Fault::NoCommonTls, _) => (
                "The broker and StreamPulse have no version or cipher of TLS in common.".into(),
                "Let the broker speak TLS 1.2 or 1.3.".into(),
            ),
            (Fault::UnknownIssuer { own_authority: true }, _) => (
                "The broker's certificate is not signed by the authority in mqtt.ca_file.".into(),
                "Let mqtt.ca_file name the authority that signed it.".into(),
            ),
            (Fault::UnknownIssuer { own_authority: false }, _) => (
                "The broker's certificate is signed by an authority that this machine does not trust.".into(),
                "Name the broker's authority as mqtt.ca_file.".into(),
            ),
            (Fault::Expired, _) => (
                "The broker's certificate has expired.".into(),
                "Renew it; if it is still good, set the clock of this machine.".into(),
            ),
            (Fault::NotYetValid, _) => (
                "The broker's certificate is not valid yet.".into(),
                "Set the clock of this machine; if it is right, wait, or make a new certificate.".into(),
            ),
            (Fault::OtherName, _) => (
                format!("The broker's certificate is for another name than {host}."),
                "Let mqtt.host be a name that is in the certificate as subjectAltName (a common name does not count), or make a certificate with this one.".into(),
            ),
            (Fault::BadCertificate(why), _) => (
                format!("The broker's certificate cannot be used: {why}."),
                "Make a new one: X.509 version 3, with the broker's name as subjectAltName.".into(),
            ),
            (Fault::CertificateWanted, _) => (
                "The broker wants a client certificate.".into(),
                "Name one as mqtt.cert_file, and its key as mqtt.key_file.".into(),
            ),
            (Fault::CertificateRefused, _) => (
                "The broker refuses the client certificate.".into(),
                "Let mqtt.cert_file be one that is not expired and signed by an authority that the broker trusts.".into(),
            ),
            (Fault::Handshake(why), _) => (
                format!("The TLS handshake failed: {why}."),
                "Look into the broker's log.".into(),
            ),
            (Fault::NotWebSocket(status), _) => (
                format!("The web server at {at} answers with {status} where a WebSocket should be (/mqtt)."),
                format!("Check {key}: it must be the port on which the broker speaks WebSocket."),
            ),
            (Fault::OtherWebSocket, _) => (
                format!("{at} answers, and not as a WebSocket that carries MQTT."),
                format!("Check {key}: it must be the port on which the broker speaks WebSocket. Or set mqtt.use_websocket: false."),
            ),
            (Fault::SpeaksHttp, _) => (
                format!("{at} is a web server."),
                format!("Check {key}. If it is the broker's port for WebSocket, set mqtt.use_websocket: true."),
            ),
            (Fault::SpeaksTls, _) => (
                format!("{at} speaks TLS."),
                "Set mqtt.use_tls: true, or take the broker's port without TLS.".into(),
            ),
            (Fault::NotMqtt, Stage::Publish) => (
                "The broker sends what is no MQTT.".into(),
                "Look into the broker's log.".into(),
            ),
            (Fault::NotMqtt, _) => (format!("What answers at {at} is no MQTT broker."), format!("{place}.")),
            (Fault::VersionRefused, _) => (
                "The broker does not speak the MQTT version of mqtt.protocol.".into(),
                "Set mqtt.protocol to the other one (3.1.1 or 5), or allow this one in the broker's settings.".into(),
            ),
            (Fault::ClientIdRefused(id), _) => (
                format!("The broker refuses the client id {id}."),
                "Choose another mqtt.client_id, or allow this one in the broker's settings.".into(),
            ),
            (Fault::Unavailable, _) => (
                "The broker says that it is not available.".into(),
                "Look into the broker's log.".into(),
            ),
            (Fault::LoginRefused { with_user: true }, _) => (
                "The broker refuses user or password.".into(),
                "Check mqtt.username and mqtt.password.".into(),
            ),
            (Fault::LoginRefused { with_user: false }, _) => (
                "The broker lets nobody in without user and password.".into(),
                "Write mqtt.username and mqtt.password.".into(),
            ),
            (Fault::Closed, Stage::Login) if broker.is_tls() || broker.is_websocket() => (
                "The broker closes the connection without an answer.".into(),
                "Look into the broker's log for the reason.".into(),
            ),
            (Fault::Closed, Stage::Login) => (
                format!("{at} closes the connection without an answer."),
                format!("Look into the broker's log for the reason. {place}; a port for TLS or WebSocket looks like this, too."),
            ),
            (Fault::Closed, Stage::Publish) => (
                "The broker closed the connection.".into(),
                "If it happens again and again, look into the broker's log, and for another client with the same client id.".into(),
            ),
            (Fault::Closed, _) if broker.is_websocket() => (
                format!("{at} closes the connection instead of opening a WebSocket."),
                format!("Check {key}: it must be the port on which the broker speaks WebSocket."),
            ),
            (Fault::Closed, _) => (
                format!("{at} closes the connection at once."),
                format!("{place}, and look into the broker's log."),
            ),
            (Fault::Broken(why), _) => (
                format!("The connection to the broker broke: {why}."),
                "Check the network to the broker, and look into its log.".into(),
            ),
            (Fault::TooLarge(bytes), _) => (
                format!("The broker, or MQTT, takes no message of {bytes} bytes."),
                "Let the broker take larger ones (Mosquitto: max_packet_size), or publish smaller pictures (probe.snapshot_width_px).".into(),
            ),
            (Fault::NotTaken { topic, why }, _) => (
                format!("The broker does not take a message to {topic}: {why}."),
                "Let its access list allow this user to write there.".into(),
            ),
            (Fault::Dismissed(why), _) => (
                format!("The broker hangs up: {why}."),
                "Look into the broker's log; a session that is taken over is another client with the same client id.".into(),
            ),
            (Fault::NoRetain, _) => (
                "The broker keeps no retained messages, which the state of a stream is.".into(),
                "Switch them on in the broker's settings (Mosquitto: retain_available true).".into(),
            ),
            (Fault::QosRefused(qos), _) => (
                format!("The broker takes no messages of QoS {qos}."),
                "Let it take QoS 1, with which state and events are sent, and set mqtt.qos to what it takes.".into(),
            ),
            (Fault::Silent, _) => (
                "The broker does not answer any more.".into(),
                "Check that it runs, and the network to it.".into(),
            ),
        };
        (message, next_step)
    }
}

fn name_server() -> String {
    "Check the network and the name server of this machine, or write the broker's IP address as mqtt.host.".into()
}
