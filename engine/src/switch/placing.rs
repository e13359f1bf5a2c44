//! An embedder's calls to names: found first, then placed, and placed elsewhere when the first
//! target is of no use (RFC 3263 §4.3).

use super::{
    CommandId, Completion, EndedBy, PlaceCall, Switch,
    call::{Call, Departure, Phase},
    place::PlaceError,
    resolve::{Located, LookupId, Route},
};
use crate::{
    channel::Cause,
    clock::Now,
    sip::{self, NameAddr, StatusCode, Uri, locate::LocateError},
};

/// A call that waits for the answer of name servers.
#[derive(Debug)]
pub(super) struct Unplaced {
    id: CommandId,
    call: Box<PlaceCall>,
}

/// Where else a call can be tried.
#[derive(Debug)]
pub(super) struct Elsewhere {
    route: Route,
    departure: Departure,
}

impl Switch {
    /// Places a call, once it is known where to.
    pub(super) fn begin_placing(&mut self, id: CommandId, call: Box<PlaceCall>, now: Now) {
        let named = match call.flow {
            None => Uri::parse(&call.target).ok().filter(|uri| uri.socket_addr().is_none()),
            Some(_) => None,
        };
        let Some(uri) = named else { return self.finish_placing(id, *call, None, now) };
        match self.locate(&uri, None, now) {
            Located::Ready(found) => self.place_at(id, *call, found, now),
            Located::Pending(lookup) => {
                self.unplaced.insert(lookup, Unplaced { id, call });
            }
        }
    }

    /// A lookup ended.
    pub(super) fn take_located(
        &mut self,
        lookup: LookupId,
        found: Result<Route, LocateError>,
        now: Now,
    ) {
        if let Some(Unplaced { id, call }) = self.unplaced.remove(&lookup) {
            self.place_at(id, *call, found, now);
        } else if let Some(leg) = self.legs_to_locate.remove(&lookup) {
            self.with_call(leg, now, |switch, call| switch.depart_to(call, found, now));
        } else {
            self.take_registrar(lookup, found, now);
        }
    }

    /// Calls a leg whose contact is a name, once it is known where that is.
    pub(super) fn depart_named(&mut self, call: &mut Call, now: Now) {
        let Some(departure) = &call.departure else { return };
        let Some(uri) = departure.locate.clone() else { return };
        let peer = self.peer_of(call);
        let transport = peer.as_ref().and_then(|peer| peer.transport.as_ref());
        match self.locate(&uri, transport.map(AsRef::as_ref), now) {
            Located::Ready(found) => self.depart_to(call, found, now),
            Located::Pending(lookup) => {
                self.legs_to_locate.insert(lookup, call.id);
            }
        }
    }

    fn depart_to(&mut self, call: &mut Call, found: Result<Route, LocateError>, now: Now) {
        let departure = call.departure.as_mut().map(|departure| {
            departure.locate = None;
            (**departure).clone()
        });
        let Some(departure) = departure.filter(|_| !call.is_down()) else { return };
        let mut route = match found {
            Ok(route) => route,
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "a leg can not be placed");
                return self.end(call, Cause::NO_ROUTE, EndedBy::Failure, now);
            }
        };
        let Some(flow) = self.next_flow(&mut route) else {
            return self.end(call, Cause::NO_ROUTE, EndedBy::Failure, now);
        };
        call.flow = flow;
        match self.depart(call, now) {
            Ok(()) if route.is_exhausted() => {}
            Ok(()) => {
                self.elsewhere.insert(call.id, Elsewhere { route, departure });
            }
            Err(error) => {
                tracing::warn!(call_id = %call.parties.call_id, %error, "Dial");
                self.end(call, error.into(), EndedBy::Failure, now);
            }
        }
    }

    fn place_at(
        &mut self,
        id: CommandId,
        mut call: PlaceCall,
        found: Result<Route, LocateError>,
        now: Now,
    ) {
        let mut route = match found {
            Ok(route) => route,
            Err(error) => {
                tracing::info!(target = call.target, %error, "a call can not be placed");
                return self.complete(id, Completion::Failed(error.to_string()));
            }
        };
        call.flow = self.next_flow(&mut route);
        if call.flow.is_none() {
            let error = PlaceError::NoTransport.to_string();
            return self.complete(id, Completion::Failed(error));
        }
        self.finish_placing(id, call, Some(route), now);
    }

    fn finish_placing(&mut self, id: CommandId, call: PlaceCall, route: Option<Route>, now: Now) {
        let elsewhere = route.filter(|route| !route.is_exhausted()).and_then(|route| {
            let target = Uri::parse(&call.target).ok()?;
            let from = NameAddr::parse(call.from.as_bytes())?;
            let headers = sip::Headers::default();
            let ring_timeout = call.ring_timeout;
            let departure =
                Departure { target, from, headers, routes: vec![], ring_timeout, locate: None };
            Some(Elsewhere { route, departure })
        });
        match self.place_call(call, now) {
            Ok(placed) => {
                self.elsewhere.extend(elsewhere.map(|elsewhere| (placed, elsewhere)));
                self.complete(id, Completion::Placed(placed));
            }
            Err(error) => self.complete(id, Completion::Failed(error.to_string())),
        }
    }

    /// Whether a call that failed at one target goes on at another.
    pub(super) fn try_elsewhere(&mut self, call: &mut Call, end: &sip::End, now: Now) -> bool {
        let Some(mut elsewhere) = self.elsewhere.remove(&call.id) else { return false };
        let of_no_use = match end {
            sip::End::Refused { response } => response.status() == StatusCode::SERVICE_UNAVAILABLE,
            sip::End::Failed(failure) => *failure != sip::Failure::DialogGone,
            _ => false,
        };
        if !of_no_use || call.phase != Phase::Proceeding {
            return false;
        }
        while let Some(flow) = self.next_flow(&mut elsewhere.route) {
            tracing::info!(call_id = %call.parties.call_id, peer = %flow.peer, "trying the next target");
            call.flow = flow;
            call.session.cancel_offer();
            match self.invite(call, elsewhere.departure.clone(), now) {
                Ok(handle) => {
                    call.handle = Some(handle);
                    self.handles.insert(handle, call.id);
                    self.elsewhere.insert(call.id, elsewhere);
                    return true;
                }
                Err(error) => tracing::warn!(call_id = %call.parties.call_id, %error, "INVITE"),
            }
        }
        false
    }
}
