//! On whose behalf somebody is called: a call that dials, or an origination without a call.

use bstr::BString;
use diesis_dialplan::{channel::Channel as PlanChannel, variables::Variables};

use super::super::{Parties, call::Call};
use crate::{channel::ChannelId, config::CodecName, media::Codec, pbx::Pbx, sip};

/// What those who are called are given by the one on whose behalf they are.
#[derive(Debug)]
pub(in super::super) struct Caller<'a> {
    /// Who hears what becomes of them.
    pub(in super::super) id: ChannelId,
    pub(in super::super) kind: Kind,
    pub(in super::super) flow: sip::Flow,
    pub(in super::super) max_forwards: u8,
    pub(in super::super) language: &'a BString,
    pub(in super::super) parties: &'a Parties,
    /// The channel, when a dialplan sees it.
    pub(in super::super) channel: Option<&'a PlanChannel>,
    /// What their channels inherit.
    pub(in super::super) variables: Variables,
    /// What is set on their channels before they are called.
    pub(in super::super) assignments: &'a [(BString, BString)],
    /// The only codecs they are offered; `None` leaves it to their configuration.
    pub(in super::super) codecs: Option<&'a [CodecName]>,
    /// What the caller has, best first: offered before others, so that nothing need be transcoded.
    pub(in super::super) present_codecs: Vec<Codec>,
    /// Where the caller's dialplan is.
    pub(in super::super) place: (BString, BString, u32),
}

/// What calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Call,
    Origination,
}

impl Call {
    /// The call as one that calls others.
    pub(in super::super) fn as_caller(&self) -> Caller<'_> {
        let place = self.pbx().map(|pbx| {
            let place = pbx.place();
            (place.context.to_owned(), place.extension.to_owned(), place.priority)
        });
        Caller {
            id: self.id,
            kind: Kind::Call,
            flow: self.flow,
            max_forwards: self.max_forwards,
            language: &self.channel.language,
            parties: &self.parties,
            channel: self.pbx().map(Pbx::channel),
            variables: self.pbx().map(Pbx::inherited).unwrap_or_default(),
            assignments: &[],
            codecs: None,
            present_codecs: self.session.codecs(),
            place: place.unwrap_or_default(),
        }
    }
}
