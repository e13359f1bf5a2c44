//! Finding where a URI is, without waiting: questions go out, answers come in, and whoever asked
//! is told (RFC 3263).
//!
//! How to use it from within the switch:
//!
//! 1. `locate(uri, transport, now)` begins. An address and what the cache knows are
//!    [`Located::Ready`] at once; else keep your state under the [`LookupId`] of
//!    [`Located::Pending`].
//! 2. `work` hands each finished lookup to `take_located(id, result, now)`; add your table of
//!    waiting things there.
//! 3. A [`Route`] holds the targets, best first. `next_flow` gives the way to the next one; on a
//!    503, a timeout or a transport error ask it again (RFC 3263 §4.3). `None`: there is no other.
//!
//! `net` takes [`Switch::poll_question`] and brings [`Switch::handle_answer`]. A lookup ends within
//! `LONGEST_LOOKUP` whether name servers answer or not.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bstr::BStr;

use super::{Switch, addresses::protocol};
use crate::{
    clock::Now,
    sip::{
        Flow, Transport, Uri,
        locate::{Answer, Family, Locate, LocateError, Question, Reach, Record, Target},
    },
};

/// A lookup under way; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LookupId(u64);

/// What came of asking where a URI is.
#[derive(Debug)]
pub(super) enum Located {
    /// It is known.
    Ready(Result<Route, LocateError>),
    /// It will be told under this number.
    Pending(LookupId),
}

/// The targets of a URI that were not tried yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    targets: VecDeque<Target>,
}

impl Route {
    /// Whether there is another target.
    pub(super) fn is_exhausted(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many targets are left.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Where they are.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.targets.iter().map(|target| target.peer.ip().to_canonical())
    }
}

/// Lookups under way, and the answers so far.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    lookups: HashMap<LookupId, (Locate, Instant)>,
    begun: u64,
    questions: VecDeque<Question>,
    asked: HashSet<Question>,
    cache: HashMap<Question, (Answer, Instant)>,
    finished: VecDeque<(LookupId, Result<Route, LocateError>)>,
    /// Whom the certificates of these addresses must name.
    names: VecDeque<(SocketAddr, String)>,
}

impl Resolver {
    fn cached(&self, question: &Question, now: Instant) -> Option<Answer> {
        let (answer, until) = self.cache.get(question)?;
        (*until > now).then(|| answer.clone())
    }

    fn keep(&mut self, question: Question, answer: Answer, time_to_live: Duration, now: Instant) {
        let longest = match answer {
            Answer::Records(_) => LONGEST_KEPT,
            Answer::Absent => ABSENCE_KEPT,
            Answer::Unanswered => SILENCE_KEPT,
        };
        if self.cache.len() >= MOST_KEPT {
            self.cache.retain(|_, (_, until)| *until > now);
            if self.cache.len() >= MOST_KEPT {
                self.cache.clear();
            }
        }
        self.cache.insert(question, (answer, now + time_to_live.min(longest)));
    }

    /// Answers what the cache knows and asks the rest.
    fn drive(&mut self, locate: &mut Locate, now: Instant) {
        while let Some(question) = locate.poll_question() {
            if let Some(answer) = self.cached(&question, now) {
                locate.handle_answer(&question, answer);
            } else if self.asked.insert(question.clone()) {
                self.questions.push_back(question);
            }
        }
    }

    fn finish(&mut self, id: LookupId, locate: &Locate) {
        if let Some(result) = locate.result() {
            self.finished.push_back((id, result.clone().map(route)));
        }
    }

    fn answer(
        &mut self,
        question: &Question,
        answer: Answer,
        time_to_live: Duration,
        now: Instant,
    ) {
        if !self.asked.remove(question) {
            return;
        }
        self.keep(question.clone(), answer.clone(), time_to_live, now);
        let mut ids: Vec<_> = self.lookups.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some((mut locate, until)) = self.lookups.remove(&id) else { continue };
            locate.handle_answer(question, answer.clone());
            self.drive(&mut locate, now);
            match locate.result() {
                Some(_) => self.finish(id, &locate),
                None => drop(self.lookups.insert(id, (locate, until))),
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.lookups.values().map(|(_, until)| *until).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let mut late: Vec<_> =
            self.lookups.iter().filter(|(_, (_, until))| *until <= now).collect();
        late.sort_unstable_by_key(|(id, _)| **id);
        for id in late.into_iter().map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some((mut locate, _)) = self.lookups.remove(&id) else { continue };
            locate.handle_timeout();
            self.finish(id, &locate);
        }
        if self.lookups.is_empty() {
            // Whoever waited has left; a late answer is not for anybody.
            self.asked.clear();
            self.questions.clear();
        }
    }

    pub(super) fn poll_finished(&mut self) -> Option<(LookupId, Result<Route, LocateError>)> {
        self.finished.pop_front()
    }
}

impl Switch {
    /// Begins to find where a URI is; `named` is the transport section that a URI without
    /// `transport=` is to be reached over.
    pub(super) fn locate(&mut self, uri: &Uri, named: Option<&BStr>, now: Now) -> Located {
        let transports = &self.config.sip.transports;
        let named = named.and_then(|name| transports.iter().find(|it| it.name == name));
        let reach = Reach::new(
            transports
                .iter()
                .filter(|it| named.is_none_or(|named| named.protocol == it.protocol))
                .map(|it| (protocol(it), Family::of(it.bind.ip()))),
        );
        let mut locate = Locate::new(uri, named.map(protocol), reach, &mut self.entropy);
        self.resolver.drive(&mut locate, now.instant);
        if let Some(result) = locate.result() {
            return Located::Ready(result.clone().map(route));
        }
        if self.resolver.lookups.len() >= MOST_LOOKUPS {
            let host = uri.host_str().to_owned();
            tracing::warn!(host, "too many lookups at once");
            return Located::Ready(Err(LocateError::Unanswered(host)));
        }
        let id = LookupId(self.resolver.begun);
        self.resolver.begun += 1;
        self.resolver.lookups.insert(id, (locate, now.instant + LONGEST_LOOKUP));
        Located::Pending(id)
    }

    /// The way to the next target of a route. Targets that no transport here reaches are left out.
    pub(super) fn next_flow(&mut self, route: &mut Route) -> Option<Flow> {
        while let Some(target) = route.targets.pop_front() {
            let Some(local) = self.local_towards(target.transport, target.peer, target.own) else {
                tracing::debug!(peer = %target.peer, "no transport reaches this target");
                continue;
            };
            if target.transport == Transport::Tls {
                self.resolver.names.push_back((target.peer, target.domain));
            }
            return Some(Flow {
                transport: target.transport,
                local,
                peer: target.peer,
                connection: None,
            });
        }
        None
    }

    /// Our address for a peer: of a transport that is bound to one, or the one on the way there.
    fn local_towards(
        &self,
        transport: Transport,
        peer: SocketAddr,
        own: Option<IpAddr>,
    ) -> Option<SocketAddr> {
        let own = own.or_else(|| self.own_address_towards(peer.ip()));
        let transports = self.config.sip.transports.iter();
        let fitting = transports
            .filter(|it| protocol(it) == transport && it.bind.is_ipv4() == peer.is_ipv4())
            .filter_map(|it| match it.bind.ip().is_unspecified() {
                true => Some(SocketAddr::new(own?, it.bind.port())),
                false => Some(it.bind),
            });
        fitting.min_by_key(|local| Some(local.ip()) != own)
    }

    /// A question for the name servers. Drain after each way in.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.resolver.questions.pop_front()
    }

    /// Whom the certificate of a peer must name (RFC 5922 §7.1), told before anything is sent there.
    pub fn poll_tls_name(&mut self) -> Option<(SocketAddr, String)> {
        self.resolver.names.pop_front()
    }

    /// The name servers answered, or did not.
    pub fn handle_answer(
        &mut self,
        question: &Question,
        answer: Answer,
        time_to_live: Duration,
        now: Now,
    ) {
        self.worked_at = now;
        if let Answer::Records(records) = &answer {
            for record in records {
                if let Record::Address { ip, own: Some(own) } = record
                    && self.config.routes.len() < MOST_ROUTES
                {
                    self.config.routes.insert(*ip, *own);
                }
            }
        }
        self.resolver.answer(question, answer, time_to_live, now.instant);
        self.work(now);
    }
}

fn route(targets: Vec<Target>) -> Route {
    Route { targets: targets.into() }
}

/// The longest that a lookup takes: people wait no longer for the first sign of a call.
const LONGEST_LOOKUP: Duration = Duration::from_secs(6);
/// Lookups at once; more fail.
const MOST_LOOKUPS: usize = 1024;
/// Answers kept; when all are fresh they are all forgotten.
const MOST_KEPT: usize = 4096;
/// However long a record says that it holds, a changed address counts after this.
const LONGEST_KEPT: Duration = Duration::from_secs(3600);
/// A name that is not there may be added any time.
const ABSENCE_KEPT: Duration = Duration::from_secs(30);
/// Dead name servers are not asked again by every call.
const SILENCE_KEPT: Duration = Duration::from_secs(2);
/// Ways to peers that are remembered.
const MOST_ROUTES: usize = 4096;
