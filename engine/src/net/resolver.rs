//! Asks the name servers what the switch wants to know; nothing waits for them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RData, RecordType},
};
use tokio::{sync::mpsc, time::timeout};

use super::{clock, local_address};
use crate::sip::locate::{Answer, Question, Record, RecordKind};

/// An answer on its way to the switch.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) question: Question,
    pub(crate) answer: Answer,
    pub(crate) time_to_live: Duration,
}

/// The name servers of the system, or those that a program names.
pub(crate) struct NameServers {
    resolver: Option<Arc<TokioResolver>>,
    answers: mpsc::UnboundedSender<Resolved>,
}

impl NameServers {
    /// Without `servers`, those of the system. Must be called within a tokio runtime.
    pub(crate) fn new(servers: &[SocketAddr]) -> (Self, mpsc::UnboundedReceiver<Resolved>) {
        let (answers, receiver) = mpsc::unbounded_channel();
        let resolver = match build(servers) {
            Ok(resolver) => Some(Arc::new(resolver)),
            Err(error) => {
                tracing::warn!(%error, "no name server is known: names of hosts lead nowhere");
                None
            }
        };
        (Self { resolver, answers }, receiver)
    }

    /// Asks; the answer comes through the queue. The switch bounds how much is asked at once.
    pub(crate) fn ask(&self, question: Question) {
        let answers = self.answers.clone();
        let resolver = self.resolver.clone();
        tokio::spawn(async move {
            let asked = async {
                match &resolver {
                    Some(resolver) => look_up(resolver, &question).await,
                    None => (Answer::Unanswered, Duration::ZERO),
                }
            };
            let unanswered = (Answer::Unanswered, Duration::MAX);
            let (answer, time_to_live) = timeout(PATIENCE, asked).await.unwrap_or(unanswered);
            tracing::debug!(name = question.name, kind = ?question.kind, ?answer, "name servers");
            // The engine has stopped when nobody takes it.
            let _ = answers.send(Resolved { question, answer, time_to_live });
        });
    }
}

fn build(servers: &[SocketAddr]) -> io::Result<TokioResolver> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio().map_err(io::Error::other)?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
                way.port = server.port();
                way
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = ATTEMPT;
    options.attempts = ATTEMPTS;
    // The switch keeps the answers, for as long as they say.
    options.cache_size = 0;
    builder.build().map_err(io::Error::other)
}

async fn look_up(resolver: &TokioResolver, question: &Question) -> (Answer, Duration) {
    let kind = match question.kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::Naptr => RecordType::NAPTR,
    };
    let Ok(mut name) = Name::from_utf8(&question.name) else {
        return (Answer::Absent, Duration::MAX);
    };
    // Names in SIP are whole: the system's search list is for people.
    if question.name.contains('.') {
        name.set_fqdn(true);
    }
    match resolver.lookup(name, kind).await {
        Ok(found) => {
            let now = clock::now().instant;
            let time_to_live = found.valid_until().saturating_duration_since(now);
            let records: Vec<_> =
                found.answers().iter().filter_map(|it| record(&it.data)).collect();
            let answer = if records.is_empty() { Answer::Absent } else { Answer::Records(records) };
            (answer, time_to_live)
        }
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
            (Answer::Absent, Duration::MAX)
        }
        Err(error) => {
            tracing::debug!(name = question.name, %error, "name servers");
            (Answer::Unanswered, Duration::MAX)
        }
    }
}

fn record(data: &RData) -> Option<Record> {
    let address = |ip: IpAddr| Record::Address { ip, own: local_address::towards(ip) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match data {
        RData::A(a) => Some(address(a.0.into())),
        RData::AAAA(aaaa) => Some(address(aaaa.0.into())),
        RData::SRV(srv) => Some(Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host: srv.target.to_ascii(),
        }),
        RData::NAPTR(naptr) => Some(Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_ascii(),
        }),
        // An alias on the way to the records.
        _ => None,
    }
}

/// One question to one name server.
const ATTEMPT: Duration = Duration::from_millis(1200);
const ATTEMPTS: usize = 2;
/// All attempts for one question.
const PATIENCE: Duration = Duration::from_secs(4);
