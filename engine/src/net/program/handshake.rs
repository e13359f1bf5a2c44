//! Opens a WebSocket to a program: its place, TCP, TLS where that is asked for, the handshake.

use std::{io, sync::Arc};

use bstr::{BStr, ByteSlice as _};
use data_encoding::BASE64;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error,
        http::{Uri, header},
    },
};

use super::{connect, talk::Talk, until_closed, websocket};
use crate::{
    config::WebSocketClient,
    net::tls,
    program::{Origin, ProgramEnd, WebSocket},
};

/// Why a try failed.
enum Trouble {
    /// It would fail again.
    Lasting(String),
    Passing(String),
}

/// A connection from its first packet to its end. It is tried again until it stands, as often as it
/// may be, and never once it has stood.
pub(super) async fn speak(mut talk: Talk, how: WebSocket, origin: Origin) -> ProgramEnd {
    let place = match Target::of(&how) {
        Ok(place) => place,
        Err(why) => return ProgramEnd::Failed(why),
    };
    let client = &how.client;
    let mut last = String::new();
    for attempt in 0..=client.retries {
        if attempt > 0 {
            tracing::warn!(uri = %place.uri, attempt, "a program: {last}; it is tried again");
            if until_closed(&mut talk, sleep(client.retry_interval)).await.is_none() {
                return ProgramEnd::Us;
            }
        }
        let reached = timeout(client.timeout, place.reach(client, &origin));
        let Some(reached) = until_closed(&mut talk, reached).await else {
            return ProgramEnd::Us;
        };
        match reached.unwrap_or_else(|_| Err(Trouble::Passing("it does not answer".into()))) {
            Ok(Reached::Plain(stream)) => return websocket::run(talk, *stream, &how).await,
            Ok(Reached::Private(stream)) => return websocket::run(talk, *stream, &how).await,
            Err(Trouble::Lasting(why)) => return ProgramEnd::Failed(why),
            Err(Trouble::Passing(why)) => last = why,
        }
    }
    ProgramEnd::Failed(last)
}

enum Reached {
    Plain(Box<WebSocketStream<TcpStream>>),
    Private(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

/// What a URI says.
struct Target {
    uri: Uri,
    host: String,
    port: u16,
    is_private: bool,
}

impl Target {
    fn of(how: &WebSocket) -> Result<Self, String> {
        let text = how.client.uri.to_str().map_err(|_| "its URI is no text".to_owned())?;
        let parameters = how.parameters.to_str().map_err(|_| "its parameters are no text")?;
        let sign = if text.contains('?') { '&' } else { '?' };
        let whole = match parameters {
            "" => text.to_owned(),
            parameters => format!("{text}{sign}{parameters}"),
        };
        let uri: Uri = whole.parse().map_err(|error| format!("{text}: {error}"))?;
        let is_private = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(format!("{text} does not begin with ws:// or wss://")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("{text} names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_private { 443 } else { 80 });
        Ok(Self { uri, host, port, is_private })
    }

    async fn reach(
        &self,
        client: &Arc<WebSocketClient>,
        origin: &Origin,
    ) -> Result<Reached, Trouble> {
        let host = BStr::new(&self.host);
        let stream = connect::tcp(host, self.port, origin).await.map_err(|error| {
            let why = error.to_string();
            match error.kind() {
                io::ErrorKind::PermissionDenied => Trouble::Lasting(why),
                _ => Trouble::Passing(why),
            }
        })?;
        if !self.is_private {
            return self.shake(client, stream).await.map(|stream| Reached::Plain(Box::new(stream)));
        }
        let own = Arc::clone(client);
        // Files are read.
        let config = spawn_blocking(move || {
            tls::web_client(own.authorities.as_deref(), own.certificate.as_ref())
        });
        let config = match config.await {
            Ok(Ok(config)) => config,
            Ok(Err(error)) => return Err(Trouble::Lasting(error.to_string())),
            Err(error) => return Err(Trouble::Lasting(error.to_string())),
        };
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|error| Trouble::Lasting(error.to_string()))?;
        let stream = TlsConnector::from(config).connect(name, stream).await;
        let stream = stream.map_err(|error| Trouble::Passing(format!("TLS: {error}")))?;
        self.shake(client, stream).await.map(|stream| Reached::Private(Box::new(stream)))
    }

    async fn shake<S>(
        &self,
        client: &WebSocketClient,
        stream: S,
    ) -> Result<WebSocketStream<S>, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut request = ClientRequestBuilder::new(self.uri.clone());
        for protocol in &client.protocols {
            request = request.with_sub_protocol(protocol);
        }
        if let Some(username) = &client.username {
            let password = client.password.as_ref().map_or(&b""[..], |it| it.reveal());
            let both = [username.as_slice(), b":", password].concat();
            let basic = format!("Basic {}", BASE64.encode(&both));
            request = request.with_header(header::AUTHORIZATION.as_str(), basic);
        }
        let shaken = client_async_with_config(request, stream, Some(websocket::limits())).await;
        shaken.map(|(stream, _)| stream).map_err(|error| match error {
            Error::Http(response) => Trouble::Lasting(format!("it answers {}", response.status())),
            error => Trouble::Passing(error.to_string()),
        })
    }
}
