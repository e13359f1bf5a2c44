//! What an endpoint tells and what it is told: handles, events, and the words of its verbs.

use std::borrow::Cow;

use bytes::Bytes;

use super::flow::Flow;
use super::provisional::ReliableProvisional;
use super::refer::Refer;
use super::session_timer::SessionTimers;
use super::subscribe::SubscriptionEnd;
use super::table::Handle;
use super::{CallId, HeaderName, Headers, Method, NameAddr, Request, Response, StatusCode, Uri};

/// A call: one INVITE usage, from its INVITE until [`Event::Ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle(pub(crate) Handle);

/// A received request that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionHandle(pub(crate) Handle);

/// A request sent outside any dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestHandle(pub(crate) Handle);

/// Somebody's subscription to something of ours, until [`Event::SubscriptionEnded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionHandle(pub(crate) Handle);

/// A REFER whose sender hears of its progress: lives on after its call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferHandle {
    pub(crate) call: Handle,
    pub(crate) id: u32,
}

impl ReferHandle {
    /// The call that the REFER came in.
    pub fn call(self) -> CallHandle {
        CallHandle(self.call)
    }
}

/// What an endpoint tells the application.
///
/// Every call gets exactly one [`Event::Ended`], as its last.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request outside any dialog: REGISTER, OPTIONS, MESSAGE, or another of the allowed methods.
    Request {
        /// To be given to `respond` or `respond_stateless`.
        transaction: TransactionHandle,
        /// The request.
        request: Request,
        /// Where it came from.
        flow: Flow,
    },
    /// An INVITE outside any dialog. Nothing was answered yet: `proceed` sends the 100, and
    /// `reject_stateless` leaves no trace. Without either, the 100 goes out after 200 ms.
    IncomingCall {
        /// The call.
        call: CallHandle,
        /// The INVITE.
        request: Request,
        /// Where it came from.
        flow: Flow,
    },
    /// UAC: a provisional response other than 100.
    Progress {
        /// The call.
        call: CallHandle,
        /// The response; its To tag tells forks apart.
        response: Response,
    },
    /// UAC: 401 or 407 to the INVITE. Go on with `authenticate`, or end the call with `cancel`;
    /// after 64*T1 without either it counts as refused.
    Challenged {
        /// The call.
        call: CallHandle,
        /// The response with its challenges.
        response: Response,
    },
    /// UAC: the callee answered. The ACK is sent, unless the INVITE had no body: then the 2xx holds
    /// the offer, and `acknowledge` sends the ACK with the answer.
    Answered {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Response,
    },
    /// UAS: a reliable provisional response of ours that held an offer was acknowledged, with the
    /// answer. The 2xx holds neither, then.
    EarlyAnswer {
        /// The call.
        call: CallHandle,
        /// The PRACK.
        request: Request,
    },
    /// UAS: the ACK of our 2xx arrived; with a body it is the answer to a late offer.
    Acknowledged {
        /// The call.
        call: CallHandle,
        /// The ACK.
        request: Request,
    },
    /// A re-INVITE or an UPDATE with a body (or a re-INVITE without, which asks for an offer); in a
    /// call that is not answered yet, an UPDATE or PRACK with a body.
    /// Answer with `accept_offer` or `refuse_offer`.
    Reoffer {
        /// The call.
        call: CallHandle,
        /// The request.
        request: Request,
    },
    /// The peer told something by the headers of an UPDATE without a body, such as whom we are
    /// connected with now. It is answered.
    Updated {
        /// The call.
        call: CallHandle,
        /// The UPDATE.
        request: Request,
    },
    /// The caller withdrew its re-INVITE before it was answered; what was agreed before stays.
    ReofferCancelled {
        /// The call.
        call: CallHandle,
    },
    /// Our re-INVITE was accepted. As with `Answered`, one without body wants `acknowledge`.
    ReofferAnswered {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Response,
    },
    /// Our re-INVITE was refused; what was agreed before stays.
    ReofferRefused {
        /// The call.
        call: CallHandle,
        /// The response.
        response: Response,
    },
    /// Our re-INVITE met one of the peer's (491), and the wait of RFC 3261 §14.1 is over: offer
    /// again, from the session as it is now.
    ReofferDue {
        /// The call.
        call: CallHandle,
    },
    /// The session wants a refresh and the peer takes no UPDATE: send a `reinvite` with the session
    /// as it is. Told again every few seconds until the refresh worked out.
    RefreshDue {
        /// The call.
        call: CallHandle,
    },
    /// A request in the dialog that the application answers: INFO, and other allowed methods.
    InDialog {
        /// The call.
        call: CallHandle,
        /// To be given to `respond`.
        transaction: TransactionHandle,
        /// The request.
        request: Request,
    },
    /// The peer of an answered call asks us to call somebody else: a transfer. Answer with
    /// `accept_refer`, or with `respond` to refuse.
    Refer {
        /// The call.
        call: CallHandle,
        /// To be given to `accept_refer` or `respond`.
        transaction: TransactionHandle,
        /// What it asks for.
        refer: Refer,
        /// The REFER.
        request: Request,
    },
    /// The call is over; its handle means nothing any more.
    Ended {
        /// The call.
        call: CallHandle,
        /// Why.
        end: End,
    },
    /// A subscriber is to be told the state of what it watches: answer with `notify` at once.
    NotifyDue {
        /// The subscription.
        subscription: SubscriptionHandle,
    },
    /// A subscription is over; its handle means nothing any more.
    SubscriptionEnded {
        /// The subscription.
        subscription: SubscriptionHandle,
        /// Why.
        end: SubscriptionEnd,
    },
    /// A response to a request of `send_request`, provisional ones included.
    Response {
        /// The request.
        request: RequestHandle,
        /// The response.
        response: Response,
    },
    /// A request of `send_request` got no final response.
    RequestFailed {
        /// The request.
        request: RequestHandle,
        /// Why.
        failure: Failure,
    },
}

/// Why a call is over.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// The peer sent BYE.
    Bye {
        /// The BYE, for its Reason.
        request: Request,
    },
    /// The caller sent CANCEL before we answered.
    Cancelled {
        /// The CANCEL, for its Reason.
        request: Request,
    },
    /// The INVITE's own Expires passed before we answered (RFC 3261 §13.3.1).
    Expired,
    /// The callee refused: 3xx to 6xx.
    Refused {
        /// The response.
        response: Response,
    },
    /// We ended it: `bye`, `cancel`, `reject` or `reject_stateless`.
    Local,
    /// Our 2xx was never acknowledged, and a BYE went out (RFC 3261 §13.3.1.4); or a reliable
    /// provisional response was not, and a 504 went out (RFC 3262 §3).
    Unacknowledged,
    /// Nobody refreshed the session in time; a BYE went out (RFC 4028 §10).
    SessionExpired,
    /// No response to our INVITE, or the peer no longer knows the dialog (408 or 481).
    Failed(Failure),
}

/// Why a request failed without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No final response in time: as good as 408.
    TimedOut,
    /// It could not be sent: as good as 503.
    Unreachable,
    /// The peer answered that the dialog does not exist (481) or that it timed out (408).
    DialogGone,
}

impl Failure {
    /// The status a UAC is to take the failure for (RFC 3261 §8.1.3.1).
    pub fn status(self) -> StatusCode {
        match self {
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::DialogGone => StatusCode::CALL_DOES_NOT_EXIST,
        }
    }
}

/// A message body with its type; SDP is a stranger here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Content-Type.
    pub content_type: Cow<'static, str>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Body {
    /// A session description.
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: Cow::Borrowed("application/sdp"), bytes: bytes.into() }
    }
}

/// Whether the application may add these headers to a message.
///
/// Those that carry the protocol are written by the endpoint alone: a second one would give the
/// message two meanings.
pub(crate) fn check_extra(headers: &Headers) -> Result<(), VerbError> {
    let reserved = headers.fields().any(|field| RESERVED.contains(&field.name));
    if reserved { Err(VerbError::ReservedHeader) } else { Ok(()) }
}

/// What only the endpoint writes.
/// Whether the stack writes headers of this name itself, and takes none from anybody.
pub fn is_reserved(name: HeaderName) -> bool {
    RESERVED.contains(&name)
}

const RESERVED: &[HeaderName] = &[
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::Route,
    HeaderName::RecordRoute,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::SessionExpires,
    HeaderName::RSeq,
    HeaderName::RAck,
];

/// What a call wants of the extensions that its two sides agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Session timers; none. An application that wants them adds `timer` to
    /// [`EndpointConfig::extensions`](super::EndpointConfig::extensions).
    pub timers: SessionTimers,
    /// Reliable provisional responses; none. An application that wants them adds `100rel` to
    /// [`EndpointConfig::extensions`](super::EndpointConfig::extensions). A call without an offer
    /// does not ask for them.
    pub reliable: ReliableProvisional,
}

/// Whether a provisional response may hold our offer, where the INVITE holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyOffer {
    /// It would not be acknowledged, or there was an offer before.
    Impossible,
    /// It may.
    Possible,
    /// It must: the caller requires each to be acknowledged, and the first that is holds the offer
    /// (RFC 3261 §13.2.1).
    Needed,
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    /// The Request-URI.
    pub target: Uri,
    /// Where the INVITE is sent.
    pub flow: Flow,
    /// From, without tag.
    pub from: NameAddr,
    /// To, without tag; usually of the same URI as `target`.
    pub to: NameAddr,
    /// A Route set known beforehand: the outbound proxy, a Service-Route, a Path.
    pub routes: Vec<NameAddr>,
    /// The Call-ID, if it is not to be drawn.
    pub call_id: Option<CallId>,
    /// Max-Forwards; 70 for a call that begins here, less for one that came in before.
    pub max_forwards: u8,
    /// The offer; without one the callee makes it.
    pub body: Option<Body>,
    /// Further headers.
    pub headers: Headers,
    /// Session timers and the like.
    pub terms: Terms,
}

impl OutgoingCall {
    /// A call from one address to another by one path.
    pub fn new(target: Uri, flow: Flow, from: NameAddr) -> Self {
        Self {
            to: NameAddr::new(target.clone()),
            target,
            flow,
            from,
            routes: Vec::new(),
            call_id: None,
            max_forwards: MAX_FORWARDS,
            body: None,
            headers: Headers::default(),
            terms: Terms::default(),
        }
    }

    /// The same with an offer.
    #[must_use]
    pub fn with_body(self, body: Body) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// A request outside any dialog to be sent.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// The method; not INVITE, ACK or CANCEL.
    pub method: Method,
    /// The Request-URI.
    pub target: Uri,
    /// Where it is sent.
    pub flow: Flow,
    /// From, without tag.
    pub from: NameAddr,
    /// To, without tag.
    pub to: NameAddr,
    /// A Route set known beforehand.
    pub routes: Vec<NameAddr>,
    /// The Call-ID, if it is not to be drawn: registrations keep theirs (RFC 3261 §10.2.4).
    pub call_id: Option<CallId>,
    /// The number of CSeq; the answer to a challenge and a refresh count on.
    pub cseq: u32,
    /// Max-Forwards; 70 for what begins here, less for what came in before.
    pub max_forwards: u8,
    /// The body.
    pub body: Option<Body>,
    /// Further headers, Contact and Authorization among them.
    pub headers: Headers,
}

impl OutgoingRequest {
    /// A request to a target by one path; To is the target, CSeq is 1.
    pub fn new(method: Method, target: Uri, flow: Flow, from: NameAddr) -> Self {
        Self {
            method,
            to: NameAddr::new(target.clone()),
            target,
            flow,
            from,
            routes: Vec::new(),
            call_id: None,
            cseq: 1,
            max_forwards: MAX_FORWARDS,
            body: None,
            headers: Headers::default(),
        }
    }
}

/// Why a verb was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// The call or the transaction is over.
    #[error("no such call or transaction")]
    Gone,
    /// It is not its time: the call is in another state.
    #[error("not possible in the present state")]
    WrongState,
    /// An offer is on its way in one direction or the other (RFC 3264 §4); also until the wait after
    /// a 491 is over.
    #[error("an offer is pending")]
    OfferPending,
    /// A table is full.
    #[error("too many transactions or calls")]
    Full,
    /// The status does not fit: a final one where a provisional is wanted, or the other way about.
    #[error("unsuitable status code")]
    Status,
    /// A header was given that only the endpoint writes: Via, From, To, Call-ID, CSeq, Route, ..
    #[error("header is written by the endpoint itself")]
    ReservedHeader,
    /// The method has verbs of its own.
    #[error("unsuitable method")]
    Method,
}

/// Max-Forwards of a request that begins here (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u8 = 70;
