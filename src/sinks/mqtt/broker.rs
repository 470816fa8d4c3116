//! Which broker, by which transport, and under which name.

use std::fmt;

use crate::config::Mqtt;
pub(super) use crate::sinks::host_name;

/// How packets travel. The configuration has a port for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Tls,
    WebSocket,
    TlsWebSocket,
}

/// The broker that is to be reached. It prints as its address, without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broker {
    transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Broker {
    /// The one that the settings name.
    pub(super) fn of(mqtt: &Mqtt) -> Self {
        let (transport, port) = match (mqtt.use_tls, mqtt.use_websocket) {
            (false, false) => (Transport::Tcp, mqtt.port),
            (true, false) => (Transport::Tls, mqtt.tls_port),
            (false, true) => (Transport::WebSocket, mqtt.ws_port),
            (true, true) => (Transport::TlsWebSocket, mqtt.tls_ws_port),
        };
        Self { transport, host: mqtt.host.clone(), port }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls | Transport::TlsWebSocket)
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket | Transport::TlsWebSocket)
    }

    /// The setting that [`Self::port`] comes from.
    pub(super) fn port_key(&self) -> &'static str {
        match self.transport {
            Transport::Tcp => "mqtt.port",
            Transport::Tls => "mqtt.tls_port",
            Transport::WebSocket => "mqtt.ws_port",
            Transport::TlsWebSocket => "mqtt.tls_ws_port",
        }
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Tcp => "mqtt",
            Transport::Tls => "mqtts",
            Transport::WebSocket => "ws",
            Transport::TlsWebSocket => "wss",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// The name of this service among the broker's clients: a second one of the same name would put the first one out.
pub(super) fn client_id(mqtt: &Mqtt) -> String {
    mqtt.client_id.clone().unwrap_or_else(|| format!("streampulse-{}", host_name()))
}

/// The name of this service in topics.
pub(super) fn node(mqtt: &Mqtt) -> String {
    mqtt.node.clone().unwrap_or_else(host_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_has_its_scheme_and_its_port() {
        for (use_tls, use_websocket, host, text, key) in [
            (false, false, "broker.example", "mqtt://broker.example:1883", "mqtt.port"),
            (true, false, "192.0.2.7", "mqtts://192.0.2.7:8883", "mqtt.tls_port"),
            (false, true, "2001:db8::7", "ws://[2001:db8::7]:8000", "mqtt.ws_port"),
            (true, true, "broker.example", "wss://broker.example:8884", "mqtt.tls_ws_port"),
        ] {
            let mqtt = Mqtt { use_tls, use_websocket, host: host.to_owned(), ..Mqtt::default() };
            let broker = Broker::of(&mqtt);
            assert_eq!((broker.to_string().as_str(), broker.port_key()), (text, key));
            assert_eq!((broker.is_tls(), broker.is_websocket()), (use_tls, use_websocket));
        }
    }

    #[test]
    fn the_name_among_the_clients_is_the_hosts_or_the_given_one() {
        assert_eq!(client_id(&Mqtt::default()), format!("streampulse-{}", host_name()));
        assert_eq!(client_id(&Mqtt { client_id: Some("mine".to_owned()), ..Mqtt::default() }), "mine");
        assert!(!host_name().contains(['/', '+', '#']));
    }
}
