//! Agents of the operator's own: servers that speak one of the open dialects, dialled by the URL in the settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt as _;
use http::header::AUTHORIZATION;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use uuid::Uuid;

use crate::domain::audio::AudioFormat;
use crate::domain::{AccountSid, ConversationId, Secret, StreamSid};
use crate::protocol::agent::Dialect;
use crate::protocol::agent::binary::Binary;
use crate::protocol::agent::twilio_stream::TwilioStream;

use super::{AgentError, AgentSocket, DialledSocket, bearer, socket};

/// A caller is waiting.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What an agent of the operator's own speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenDialect {
    TwilioStream,
    Binary(AudioFormat),
}

/// Where an agent of the operator's own is.
#[derive(Debug, Clone)]
pub struct OwnAgent {
    pub dialect: OpenDialect,
    pub url: String,
    /// Sent as a bearer token.
    pub key: Option<Secret>,
}

/// All of them, by name.
#[derive(Debug)]
pub struct OwnAgents {
    by_name: BTreeMap<String, OwnAgent>,
    /// What bots that speak Twilio's protocol are told of the account.
    account_sid: AccountSid,
    tls: Arc<rustls::ClientConfig>,
}

impl OwnAgents {
    /// # Panics
    /// Where no TLS provider is installed for the process.
    pub fn new(by_name: BTreeMap<String, OwnAgent>, account_sid: AccountSid) -> Result<Self, AgentError> {
        let unreachable = |reason| AgentError::Unreachable { host: "agents of your own".to_owned(), reason };
        Ok(Self { by_name, account_sid, tls: socket::tls().map_err(unreachable)? })
    }

    /// Opens a socket. On one that speaks Twilio's protocol `connected` was said.
    pub async fn connect(&self, name: &str) -> Result<AgentSocket<DialledSocket>, AgentError> {
        let agent = self.by_name.get(name).ok_or_else(|| AgentError::NotConfigured(name.to_owned()))?;
        let bad_url = || AgentError::ApiUrl(agent.url.rsplit('@').next().unwrap_or_default().to_owned());
        let mut request = agent.url.as_str().into_client_request().map_err(|_| bad_url())?;
        if let Some(key) = &agent.key {
            request.headers_mut().insert(AUTHORIZATION, bearer(key)?);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let opened = timeout(CONNECT_LIMIT, async {
            let mut socket = socket::open(request, &self.tls).await?;
            if agent.dialect == OpenDialect::TwilioStream {
                let said = socket.send(Message::text(TwilioStream::PREFACE)).await;
                said.map_err(|error| AgentError::Unreachable { host: host.clone(), reason: error.to_string() })?;
            }
            Ok::<_, AgentError>(socket)
        });
        let late = |_| AgentError::Timeout { host: host.clone(), after: CONNECT_LIMIT };
        let socket = opened.await.map_err(late)??;
        let id = Uuid::new_v4().simple();
        let dialect = match agent.dialect {
            OpenDialect::TwilioStream => {
                let stream_sid = StreamSid::new(format!("MZ{id}"));
                Dialect::TwilioStream(TwilioStream::new(self.account_sid.clone(), stream_sid))
            }
            OpenDialect::Binary(format) => {
                Dialect::Binary(Binary::new(ConversationId::new(format!("conv_{id}")), format))
            }
        };
        Ok(AgentSocket { socket, dialect })
    }
}
