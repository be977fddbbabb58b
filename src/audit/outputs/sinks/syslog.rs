//! To a syslog server, one message (RFC 5424) a line: over UDP (RFC 5426), over TCP with counted octets (RFC 6587), over TLS
//! (RFC 5425), or to a socket of this machine.
//!
//! Syslog has no answers. Over TCP and TLS a server that went away is noticed before the next lines are sent, and what was on its
//! way when it went is lost to it: it has gaps in `record` then, and `portcullis audit export` has what was in them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Line, Undelivered, ca};
use crate::audit::outputs::config::{SyslogConfig, Transport};
use crate::audit::outputs::eve::Level;
use crate::egress;

/// A syslog server.
pub(in crate::audit::outputs) struct Syslog {
    config: SyslogConfig,
    hostname: String,
    tls: Arc<rustls::ClientConfig>,
    connected: Option<Connected>,
}

enum Connected {
    Udp(UdpSocket),
    Unix(UnixDatagram),
    Stream(Pin<Box<dyn Stream>>),
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Send + Sync> Stream for S {}

impl Syslog {
    pub(super) fn new(config: SyslogConfig, node: &str) -> Result<Self, String> {
        let roots = ca(config.ca_file.as_deref())?;
        let tls = egress::client_tls(&roots).map_err(|why| format!("ca_file: {why}"))?;
        Ok(Self { config, hostname: hostname(node), tls: Arc::new(tls), connected: None })
    }

    pub(super) async fn deliver(&mut self, lines: &[Line]) -> Result<(), Undelivered> {
        let done = timeout(PATIENCE, self.send(lines)).await;
        let done = done.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it takes nothing")));
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                Err(Undelivered::Refused(format!("it is too long for a datagram ({error}); use tcp:// or tls://")))
            }
            Err(error) => {
                self.connected = None;
                Err(Undelivered::away(egress::chain(&error)))
            }
        }
    }

    async fn send(&mut self, lines: &[Line]) -> io::Result<()> {
        let is_gone = match &mut self.connected {
            None => true,
            // It has nothing to say to us: what can be read is its farewell.
            Some(Connected::Stream(stream)) => {
                let mut byte = [0; 64];
                stream.read(&mut byte).now_or_never().is_some_and(|read| !matches!(read, Ok(count) if count > 0))
            }
            Some(_) => false,
        };
        if is_gone {
            self.connected = Some(self.connect().await?);
        }
        let messages = lines.iter().map(|line| message(line, self.config.facility, &self.hostname));
        match &mut self.connected {
            None => Ok(()),
            Some(Connected::Udp(socket)) => {
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                Ok(())
            }
            Some(Connected::Unix(socket)) => {
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                Ok(())
            }
            Some(Connected::Stream(stream)) => {
                // MSG-LEN SP SYSLOG-MSG: newlines within a message could not be told from its end otherwise.
                let framed: String = messages.map(|message| format!("{} {message}", message.len())).collect();
                stream.write_all(framed.as_bytes()).await?;
                stream.flush().await
            }
        }
    }

    async fn connect(&self) -> io::Result<Connected> {
        match &self.config.transport {
            Transport::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                Ok(Connected::Unix(socket))
            }
            Transport::Udp(host, port) => {
                let address = self.resolve(host, *port).await?;
                let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
                let socket = UdpSocket::bind(any).await?;
                socket.connect(address).await?;
                Ok(Connected::Udp(socket))
            }
            Transport::Tcp(host, port) => Ok(Connected::Stream(Box::pin(self.tcp(host, *port).await?))),
            Transport::Tls(host, port) => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                let tcp = self.tcp(host, *port).await?;
                let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?;
                Ok(Connected::Stream(Box::pin(tls)))
            }
        }
    }

    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = egress::resolve(host, port, self.config.reach).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        let addresses = egress::resolve(host, port, self.config.reach).await?;
        addresses.into_iter().next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    }
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`: RFC 5424, section 6. The message is JSON without a byte
/// order mark (MSG-ANY), which parsers of JSON do not expect.
fn message(line: &Line, facility: u8, hostname: &str) -> String {
    let severity = match line.level {
        Level::Critical => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice => 5,
        Level::Info => 6,
    };
    let pri = u16::from(facility) * 8 + severity;
    format!("<{pri}>1 {:.6} {hostname} portcullis - {} - {}", line.at, line.kind.name(), line.text())
}

/// 1 to 255 printable ASCII characters, or `-`.
fn hostname(node: &str) -> String {
    let name: String = node.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// A datagram is longer than the socket takes.
const EMSGSIZE: i32 = 90;
/// Time to connect and to send what is at hand.
const PATIENCE: Duration = Duration::from_secs(20);
