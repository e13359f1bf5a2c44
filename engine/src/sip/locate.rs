//! Where a SIP URI is: transport, addresses and their order (RFC 3263 §4).
//!
//! A plain value: it says what to ask the domain name system, takes the answers, and gives the
//! targets, best first. Whoever sends tries them in turn: a target that gives 503, a timeout or a
//! transport error is followed by the next (RFC 3263 §4.3). Asking, caching and deadlines are left
//! to others.
//!
//! Each answer runs the procedure again from its start over the answers so far, so that the order
//! of the RFC stands in one function and no state can contradict another.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::{Host, Scheme, Transport, Uri};
use crate::entropy::Entropy;

/// The kind of a DNS question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts of a service, with priorities and weights (RFC 2782).
    Srv,
    /// Services of a domain (RFC 3403).
    Naptr,
}

/// What to ask the domain name system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The whole name, in lower case, without the last dot.
    pub name: String,
    /// What about it.
    pub kind: RecordKind,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address {
        /// The address.
        ip: IpAddr,
        /// Our own address on the way there; `None` where no way leads.
        own: Option<IpAddr>,
    },
    /// SRV.
    Srv {
        /// The lowest is tried first.
        priority: u16,
        /// The share among those of one priority.
        weight: u16,
        /// Where the service listens.
        port: u16,
        /// Whose addresses to ask for; empty or `.` says that there is no such service.
        host: String,
    },
    /// NAPTR.
    Naptr {
        /// The lowest counts first.
        order: u16,
        /// The lowest is preferred among those of one order.
        preference: u16,
        /// `s` says that the replacement is to be asked for SRV.
        flags: String,
        /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, or something that is not for us.
        service: String,
        /// The name to go on with.
        replacement: String,
    },
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records of the kind that was asked for, at least one.
    Records(Vec<Record>),
    /// There are none.
    Absent,
    /// No name server gave an answer.
    Unanswered,
}

/// Where to send a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Over what.
    pub transport: Transport,
    /// Where to.
    pub peer: SocketAddr,
    /// Our own address on the way there, as far as it is known.
    pub own: Option<IpAddr>,
    /// The host of the URI: whom the certificate must name, over TLS (RFC 5922 §7.1).
    pub domain: String,
}

/// What we can send over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Pairs of a transport and whether it has a socket for IPv4, for IPv6.
    sockets: Vec<(Transport, Family)>,
}

/// The two kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl Reach {
    /// The sockets there are.
    pub fn new(sockets: impl IntoIterator<Item = (Transport, Family)>) -> Self {
        Self { sockets: sockets.into_iter().collect() }
    }

    fn has(&self, transport: Transport) -> bool {
        self.sockets.iter().any(|(own, _)| *own == transport)
    }

    fn reaches(&self, transport: Transport, ip: IpAddr) -> bool {
        self.sockets.contains(&(transport, Family::of(ip)))
    }
}

/// Why a URI leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// Neither `sip:` nor `sips:`.
    #[error("{0} is no SIP address")]
    Scheme(String),
    /// `transport=` names what nobody here speaks, or `sips:` asks for one without protection.
    #[error("{uri} can not be reached over {transport}")]
    Transport {
        /// The address.
        uri: String,
        /// What it asks for.
        transport: String,
    },
    /// No transport of ours reaches it.
    #[error("no transport here speaks {} with {host}", transport.as_str())]
    NoSocket {
        /// The transport it needs.
        transport: Transport,
        /// Whose address it is.
        host: String,
    },
    /// The name does not exist, or has no address.
    #[error("{0} has no address in the domain name system")]
    Unknown(String),
    /// No name server answered.
    #[error("no name server answers for {0}")]
    Unanswered(String),
    /// The answers lead on and on.
    #[error("the domain name system leads {0} in circles")]
    Endless(String),
}

/// The search for one URI.
#[derive(Debug)]
pub struct Locate {
    uri: String,
    scheme: Scheme,
    host: String,
    literal: Option<IpAddr>,
    port: Option<u16>,
    named: Option<String>,
    reach: Reach,
    seed: u64,
    answers: HashMap<Question, Answer>,
    questions: VecDeque<Question>,
    result: Option<Result<Vec<Target>, LocateError>>,
}

impl Locate {
    /// Begins. `preferred` is the transport for a URI that names none, as a peer's setting may say.
    pub fn new(
        uri: &Uri,
        preferred: Option<Transport>,
        reach: Reach,
        entropy: &mut Entropy,
    ) -> Self {
        // `maddr` says where, whatever the host is (RFC 3263 §4).
        let host = uri
            .parameter("maddr")
            .filter(|maddr| !maddr.is_empty())
            .unwrap_or_else(|| uri.host_str());
        let literal = Host::parse(host).and_then(Host::address);
        let named = uri.parameter("transport").filter(|name| !name.is_empty()).map(str::to_owned);
        let preferred = preferred.map(|preferred| preferred.as_str().to_owned());
        let mut locate = Self {
            uri: uri.as_str().to_owned(),
            scheme: uri.scheme(),
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            literal,
            port: uri.port(),
            named: named.or(preferred),
            reach,
            seed: entropy.next_u64(),
            answers: HashMap::new(),
            questions: VecDeque::new(),
            result: None,
        };
        locate.proceed();
        locate
    }

    /// The next question to ask. After `new` and each answer, drain until `None`.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Takes an answer. One that was not asked for, or comes twice, is harmless.
    pub fn handle_answer(&mut self, question: &Question, answer: Answer) {
        let Some(awaited) = self.answers.get_mut(question).filter(|known| is_awaited(known)) else {
            return;
        };
        *awaited = if is_awaited(&answer) { Answer::Absent } else { answer };
        self.proceed();
    }

    /// The targets, best first and at least one, or why there are none; `None` while answers are
    /// awaited.
    pub fn result(&self) -> Option<&Result<Vec<Target>, LocateError>> {
        self.result.as_ref()
    }

    /// Gives up waiting: what was not answered never will be.
    pub fn handle_timeout(&mut self) {
        if self.result.is_none() {
            self.result = Some(Err(LocateError::Unanswered(self.host.clone())));
            self.questions.clear();
        }
    }

    fn proceed(&mut self) {
        if self.result.is_some() {
            return;
        }
        let mut search = Search { locate: self, missing: Vec::new(), unanswered: false };
        let found = search.run();
        let (missing, unanswered) = (search.missing, search.unanswered);
        self.result = match found {
            Err(error) => Some(Err(error)),
            Ok(_) if !missing.is_empty() => return self.ask(missing),
            Ok(targets) if !targets.is_empty() => Some(Ok(targets)),
            Ok(_) if unanswered => Some(Err(LocateError::Unanswered(self.host.clone()))),
            Ok(_) => Some(Err(LocateError::Unknown(self.host.clone()))),
        };
        self.questions.clear();
    }

    fn ask(&mut self, missing: Vec<Question>) {
        for question in missing {
            if self.answers.contains_key(&question) {
                // Its answer is awaited since an earlier run.
                continue;
            }
            if self.answers.len() >= MOST_QUESTIONS {
                self.result = Some(Err(LocateError::Endless(self.host.clone())));
                return self.questions.clear();
            }
            self.questions.push_back(question.clone());
            self.answers.insert(question, AWAITED);
        }
    }
}

/// Stands for an answer that is not here yet.
const AWAITED: Answer = Answer::Records(Vec::new());

fn is_awaited(answer: &Answer) -> bool {
    *answer == AWAITED
}

/// One run of the procedure over the answers so far.
struct Search<'l> {
    locate: &'l Locate,
    missing: Vec<Question>,
    unanswered: bool,
}

impl Search<'_> {
    fn run(&mut self) -> Result<Vec<Target>, LocateError> {
        let locate = self.locate;
        if !matches!(locate.scheme, Scheme::Sip | Scheme::Sips) {
            return Err(LocateError::Scheme(locate.uri.clone()));
        }
        let transport = self.transport()?;
        let plain = transport.unwrap_or(match locate.scheme {
            Scheme::Sips => Transport::Tls,
            _ => Transport::Udp,
        });
        // RFC 3263 §4.1: an address or a port settles the transport, and §4.2 the rest.
        if let Some(ip) = locate.literal {
            let port = locate.port.unwrap_or_else(|| plain.default_port());
            if !locate.reach.reaches(plain, ip) {
                return Err(self.no_socket(plain));
            }
            return Ok(vec![self.target(plain, SocketAddr::new(ip, port), None)]);
        }
        if let Some(port) = locate.port {
            return self.addresses(plain, &locate.host, port);
        }
        let services = match transport {
            Some(transport) => vec![(transport, service_name(transport, &locate.host))],
            None => self.services(),
        };
        if !self.missing.is_empty() {
            return Ok(Vec::new());
        }
        let mut targets = Vec::new();
        let mut serves = false;
        for (transport, name) in services {
            let Some(hosts) = self.hosts(&name) else { continue };
            serves = true;
            for (host, port) in hosts {
                targets.extend(self.addresses(transport, &host, port).unwrap_or_default());
            }
        }
        if serves || !self.missing.is_empty() {
            targets.truncate(MOST_TARGETS);
            return Ok(targets);
        }
        self.addresses(plain, &locate.host, plain.default_port())
    }

    /// The transport that the URI or a setting names.
    fn transport(&self) -> Result<Option<Transport>, LocateError> {
        let locate = self.locate;
        let Some(name) = &locate.named else { return Ok(None) };
        let refused =
            || LocateError::Transport { uri: locate.uri.clone(), transport: name.clone() };
        let transport = match (Transport::parse(name.as_bytes()), locate.scheme) {
            (Some(Transport::Tcp | Transport::Tls), Scheme::Sips) => Transport::Tls,
            (Some(Transport::Udp), Scheme::Sips) | (None, _) => return Err(refused()),
            (Some(transport), _) => transport,
        };
        if locate.reach.has(transport) {
            Ok(Some(transport))
        } else {
            Err(self.no_socket(transport))
        }
    }

    /// The services of the domain that we speak, best first: as NAPTR says, else every one.
    fn services(&mut self) -> Vec<(Transport, String)> {
        let locate = self.locate;
        let mut services = Vec::new();
        for record in self.records(&locate.host, RecordKind::Naptr).unwrap_or_default() {
            let Record::Naptr { order, preference, flags, service, replacement } = record else {
                continue;
            };
            if let Some(transport) = service_transport(&service)
                && flags.eq_ignore_ascii_case("s")
                && self.may_use(transport)
            {
                services.push(((order, preference), (transport, name_of(&replacement))));
            }
        }
        services.sort_by_key(|(rank, _)| *rank);
        if !services.is_empty() || !self.missing.is_empty() {
            return services.into_iter().map(|(_, service)| service).collect();
        }
        let ours = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let ours = ours.into_iter().filter(|transport| self.may_use(*transport));
        ours.map(|transport| (transport, service_name(transport, &locate.host))).collect()
    }

    fn may_use(&self, transport: Transport) -> bool {
        let protects = transport == Transport::Tls || self.locate.scheme != Scheme::Sips;
        protects && self.locate.reach.has(transport)
    }

    /// The hosts of a service in the order to try them (RFC 2782); `None` when SRV says nothing.
    fn hosts(&mut self, name: &str) -> Option<Vec<(String, u16)>> {
        let records = self.records(name, RecordKind::Srv)?;
        let mut hosts: Vec<_> = records
            .into_iter()
            .filter_map(|record| match record {
                Record::Srv { priority, weight, port, host } => {
                    Some((priority, weight, port, name_of(&host)))
                }
                _ => None,
            })
            .filter(|(_, _, port, host)| *port != 0 && !host.is_empty())
            .collect();
        hosts.sort_by(|a, b| (a.0, a.1, &a.3, a.2).cmp(&(b.0, b.1, &b.3, b.2)));
        // The same order in every run over the same answers.
        let mut entropy = Entropy::new(self.locate.seed);
        let mut ordered = Vec::with_capacity(hosts.len());
        while let Some(priority) = hosts.first().map(|first| first.0) {
            let equals = hosts.iter().take_while(|host| host.0 == priority);
            let total: u32 = equals.clone().map(|host| u32::from(host.1)).sum();
            let drawn = entropy.below(total.saturating_add(1));
            let mut running = 0;
            let chosen = equals.clone().position(|host| {
                running += u32::from(host.1);
                running >= drawn
            });
            let (_, _, port, host) = hosts.remove(chosen.unwrap_or(0));
            ordered.push((host, port));
        }
        ordered.truncate(MOST_TARGETS);
        Some(ordered)
    }

    /// The addresses of a host that we have a socket for, IPv6 first (RFC 6724 §2.1, RFC 7984 §4).
    fn addresses(
        &mut self,
        transport: Transport,
        host: &str,
        port: u16,
    ) -> Result<Vec<Target>, LocateError> {
        let families = [(Family::V6, RecordKind::Aaaa), (Family::V4, RecordKind::A)];
        let mut targets = Vec::new();
        let mut asked = false;
        for (family, kind) in families {
            if !self.locate.reach.sockets.contains(&(transport, family)) {
                continue;
            }
            asked = true;
            for record in self.records(host, kind).unwrap_or_default() {
                // An address that no way leads to would only cost a timeout.
                if let Record::Address { ip, own: Some(own) } = record
                    && Family::of(ip) == family
                {
                    targets.push(self.target(transport, SocketAddr::new(ip, port), Some(own)));
                }
            }
        }
        if asked { Ok(targets) } else { Err(self.no_socket(transport)) }
    }

    /// The records of an answer; `None` when there are none, or not yet.
    fn records(&mut self, name: &str, kind: RecordKind) -> Option<Vec<Record>> {
        let question = Question { name: name.to_owned(), kind };
        match self.locate.answers.get(&question) {
            Some(Answer::Records(records)) if !records.is_empty() => Some(records.clone()),
            Some(Answer::Absent) => None,
            Some(Answer::Unanswered) => {
                self.unanswered = true;
                None
            }
            // An empty answer stands for a question that is being asked.
            Some(Answer::Records(_)) | None => {
                if !self.missing.contains(&question) {
                    self.missing.push(question);
                }
                None
            }
        }
    }

    fn target(&self, transport: Transport, peer: SocketAddr, own: Option<IpAddr>) -> Target {
        Target { transport, peer, own, domain: self.locate.host.clone() }
    }

    fn no_socket(&self, transport: Transport) -> LocateError {
        LocateError::NoSocket { transport, host: self.locate.host.clone() }
    }
}

/// The SRV name of SIP over a transport (RFC 3263 §4.2).
fn service_name(transport: Transport, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    }
}

fn service_transport(service: &str) -> Option<Transport> {
    let services =
        [("SIP+D2U", Transport::Udp), ("SIP+D2T", Transport::Tcp), ("SIPS+D2T", Transport::Tls)];
    let found = services.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(service));
    found.map(|(_, transport)| transport)
}

fn name_of(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Questions for one URI; an honest domain needs some ten.
const MOST_QUESTIONS: usize = 64;
/// Targets that are tried; the caller would not wait for more.
const MOST_TARGETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// A domain name system in memory; what it does not list is absent.
    struct Zone(Vec<(&'static str, RecordKind, Vec<Record>)>);

    impl Zone {
        fn answer(&self, question: &Question) -> Answer {
            let found = self
                .0
                .iter()
                .find(|(name, kind, _)| *name == question.name && *kind == question.kind);
            found.map_or(Answer::Absent, |(.., records)| Answer::Records(records.clone()))
        }
    }

    fn everything() -> Reach {
        let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
        Reach::new(transports.into_iter().flat_map(|t| [(t, Family::V4), (t, Family::V6)]))
    }

    fn locate(uri: &str, zone: &Zone, seed: u64) -> Result<Vec<String>, LocateError> {
        let uri = Uri::parse(uri).unwrap();
        let mut locate = Locate::new(&uri, None, everything(), &mut Entropy::new(seed));
        let mut asked = Vec::new();
        while let Some(question) = locate.poll_question() {
            assert!(!asked.contains(&question), "{question:?} is asked twice");
            asked.push(question.clone());
            let answer = zone.answer(&question);
            locate.handle_answer(&question, answer);
        }
        let targets = locate.result().expect("nothing is awaited").clone()?;
        let shown = |it: &Target| format!("{} {}", it.transport.as_str().to_lowercase(), it.peer);
        Ok(targets.iter().map(shown).collect())
    }

    fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Record {
        Record::Naptr {
            order,
            preference,
            flags: "s".into(),
            service: service.into(),
            replacement: replacement.into(),
        }
    }

    fn srv(priority: u16, weight: u16, port: u16, host: &str) -> Record {
        Record::Srv { priority, weight, port, host: host.into() }
    }

    fn address(ip: &str) -> Record {
        let ip: IpAddr = ip.parse().unwrap();
        Record::Address { ip, own: Some(ip) }
    }

    #[test]
    fn an_address_needs_no_question_and_its_scheme_settles_transport_and_port() {
        let none = Zone(vec![]);
        let found = |uri| locate(uri, &none, 1).unwrap();
        assert_eq!(found("sip:a@192.0.2.1"), ["udp 192.0.2.1:5060"]);
        assert_eq!(found("sips:a@192.0.2.1"), ["tls 192.0.2.1:5061"]);
        assert_eq!(found("sip:a@[2001:db8::1];transport=tls"), ["tls [2001:db8::1]:5061"]);
        assert_eq!(found("sips:a@192.0.2.1:9;transport=tcp"), ["tls 192.0.2.1:9"]);
        assert_eq!(found("sip:a@example.com;maddr=192.0.2.9"), ["udp 192.0.2.9:5060"]);
    }

    #[test]
    fn naptr_orders_services_srv_orders_hosts_and_each_host_gives_its_addresses() {
        let zone = Zone(vec![
            (
                "example.com",
                RecordKind::Naptr,
                vec![
                    naptr(90, 50, "SIP+D2U", "_sip._udp.example.com."),
                    naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
                    naptr(40, 50, "E2U+email", "nowhere.example.com."),
                ],
            ),
            (
                "_sips._tcp.example.com",
                RecordKind::Srv,
                vec![srv(2, 0, 5062, "b.example.com."), srv(1, 0, 5061, "A.example.com.")],
            ),
            ("_sip._udp.example.com", RecordKind::Srv, vec![srv(0, 0, 5060, "b.example.com")]),
            ("a.example.com", RecordKind::A, vec![address("192.0.2.1")]),
            ("b.example.com", RecordKind::A, vec![address("192.0.2.2")]),
            ("b.example.com", RecordKind::Aaaa, vec![address("2001:db8::2")]),
        ]);
        assert_eq!(
            locate("sip:x@Example.com", &zone, 1).unwrap(),
            [
                "tls 192.0.2.1:5061",
                "tls [2001:db8::2]:5062",
                "tls 192.0.2.2:5062",
                "udp [2001:db8::2]:5060",
                "udp 192.0.2.2:5060",
            ]
        );
        // Nothing weaker than TLS carries sips.
        let secure = locate("sips:x@example.com", &zone, 1).unwrap();
        assert!(secure.iter().all(|target| target.starts_with("tls")), "{secure:?}");
        // A written port leaves NAPTR and SRV aside.
        assert_eq!(locate("sip:x@a.example.com:7000", &zone, 1).unwrap(), ["udp 192.0.2.1:7000"]);
    }

    #[test]
    fn without_naptr_every_service_is_asked_and_without_srv_the_address() {
        let mut zone = Zone(vec![
            ("_sip._tcp.example.com", RecordKind::Srv, vec![srv(0, 0, 5070, "a.example.com")]),
            ("a.example.com", RecordKind::A, vec![address("192.0.2.1")]),
            ("example.com", RecordKind::A, vec![address("192.0.2.3")]),
        ]);
        assert_eq!(locate("sip:example.com", &zone, 1).unwrap(), ["tcp 192.0.2.1:5070"]);
        assert_eq!(
            locate("sip:example.com;transport=udp", &zone, 1).unwrap(),
            ["udp 192.0.2.3:5060"]
        );
        zone.0.remove(0);
        assert_eq!(locate("sip:example.com", &zone, 1).unwrap(), ["udp 192.0.2.3:5060"]);
        assert_eq!(locate("sips:example.com", &zone, 1).unwrap(), ["tls 192.0.2.3:5061"]);
    }

    #[test]
    fn a_service_that_is_declared_absent_is_not_looked_for_elsewhere() {
        let zone = Zone(vec![
            ("_sip._udp.example.com", RecordKind::Srv, vec![srv(0, 0, 0, ".")]),
            ("example.com", RecordKind::A, vec![address("192.0.2.3")]),
        ]);
        assert_eq!(
            locate("sip:example.com;transport=udp", &zone, 1),
            Err(LocateError::Unknown("example.com".into()))
        );
    }

    #[test]
    fn weights_share_out_the_first_place() {
        let zone = Zone(vec![
            ("_sip._udp.x", RecordKind::Srv, vec![srv(1, 30, 1, "h"), srv(1, 10, 2, "h")]),
            ("h", RecordKind::A, vec![address("192.0.2.1")]),
        ]);
        let first = |seed| locate("sip:x;transport=udp", &zone, seed).unwrap().remove(0);
        let heavy = (0..4000).filter(|seed| first(*seed).ends_with(":1")).count();
        // Three in four, give or take four standard deviations and RFC 2782's off-by-one.
        assert!((2850..3200).contains(&heavy), "{heavy}");
    }

    #[test]
    fn dead_name_servers_are_told_from_names_that_do_not_exist() {
        let uri = Uri::parse("sip:example.com").unwrap();
        let mut search = Locate::new(&uri, None, everything(), &mut Entropy::new(1));
        while let Some(question) = search.poll_question() {
            search.handle_answer(&question, Answer::Unanswered);
        }
        let dead = Err(LocateError::Unanswered("example.com".into()));
        assert_eq!(search.result(), Some(&dead));
        let mut silent = Locate::new(&uri, None, everything(), &mut Entropy::new(1));
        silent.handle_timeout();
        assert_eq!(silent.result(), Some(&dead));
        assert_eq!(silent.poll_question(), None);
        let unknown = locate("sip:example.com", &Zone(vec![]), 1);
        assert_eq!(unknown, Err(LocateError::Unknown("example.com".into())));
    }

    #[test]
    fn what_can_not_be_spoken_is_refused_by_name() {
        let uri = Uri::parse("sip:example.com;transport=sctp").unwrap();
        let search = Locate::new(&uri, None, everything(), &mut Entropy::new(1));
        assert_eq!(
            search.result().unwrap().as_ref().unwrap_err().to_string(),
            "sip:example.com;transport=sctp can not be reached over sctp"
        );
        let uri = Uri::parse("sips:example.com").unwrap();
        let udp = Reach::new([(Transport::Udp, Family::V4)]);
        let mut search = Locate::new(&uri, None, udp, &mut Entropy::new(1));
        while let Some(question) = search.poll_question() {
            search.handle_answer(&question, Answer::Absent);
        }
        let error = search.result().unwrap().as_ref().unwrap_err().to_string();
        assert_eq!(error, "no transport here speaks TLS with example.com");
    }

    #[test]
    fn a_domain_with_endless_services_is_asked_for_the_first_only() {
        let many = (1..500).map(|port| srv(port, 0, port, &format!("h{port}"))).collect();
        let mut zone = Zone(vec![("_sip._udp.x", RecordKind::Srv, many)]);
        zone.0.push(("h1", RecordKind::A, vec![address("192.0.2.1")]));
        zone.0.push(("h400", RecordKind::A, vec![address("192.0.2.1")]));
        let found = locate("sip:x;transport=udp", &zone, 1);
        assert_eq!(found, Ok(vec!["udp 192.0.2.1:1".to_owned()]));
    }
}
