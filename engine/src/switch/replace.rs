//! Other settings for a switch that runs: nobody is hung up on, and nobody has to register again.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bstr::BString;
use diesis_dialplan::plan::Plan;

use super::{Switch, SwitchConfig, addresses, plan};
use crate::{
    clock::Now,
    config::{
        ConferenceSettings, FeatureSettings, MachineDetection, MusicSettings, ProgramSettings,
        SipSettings,
    },
};

/// What of a [`SwitchConfig`] can change while it is in force.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Peers, addresses of record, identify, realm, bans. Its transports must be the ones that are
    /// bound: nothing is bound or closed here.
    pub sip: Arc<SipSettings>,
    /// Our addresses on the way to contacts; those that are known already stay known.
    pub routes: HashMap<IpAddr, IpAddr>,
    /// Profiles for rooms that open, and for those who enter, from now on.
    pub conferences: Arc<ConferenceSettings>,
    /// Key codes of calls that are connected from now on.
    pub features: Arc<FeatureSettings>,
    /// Music for those who begin to wait from now on.
    pub music: Arc<MusicSettings>,
    /// How machines that answer are told from humans from now on.
    pub machines: MachineDetection,
    /// Programs for calls that connect with some from now on.
    pub programs: Arc<ProgramSettings>,
    /// The dialplan. Calls in progress look their next step up in it.
    pub plan: Arc<Plan>,
    /// The language of calls that begin from now on.
    pub default_language: BString,
}

impl From<SwitchConfig> for Replacement {
    fn from(config: SwitchConfig) -> Self {
        let SwitchConfig {
            sip,
            routes,
            conferences,
            features,
            music,
            machines,
            programs,
            plan,
            default_language,
            ..
        } = config;
        Self {
            sip,
            routes,
            conferences,
            features,
            music,
            machines,
            programs,
            plan,
            default_language,
        }
    }
}

impl Switch {
    /// Puts other settings in force, all at once. Calls go on, with the peer settings that they began
    /// with; registrations of addresses of record that stay are kept. Returns how many contacts were
    /// registered for those that are gone.
    pub fn replace(&mut self, replacement: Replacement, now: Now) -> usize {
        self.worked_at = now;
        let before = Arc::clone(&self.config.sip);
        let Replacement {
            sip,
            routes,
            conferences,
            features,
            music,
            machines,
            programs,
            plan,
            default_language,
        } = replacement;
        plan::set_globals(&plan, &mut self.world, now, &self.config.time_zone);
        self.config = SwitchConfig {
            sip,
            routes: std::mem::take(&mut self.config.routes).into_iter().chain(routes).collect(),
            conferences,
            features,
            music,
            machines,
            programs,
            plan,
            default_language,
            ..self.config.clone()
        };
        let sip = Arc::clone(&self.config.sip);
        self.endpoint
            .set_presentation(sip.user_agent.to_string(), addresses::public_addresses(&sip));
        self.gate.set_settings(&sip);
        self.review_music();
        let unbound = self.review_bindings(now);
        self.review_contacts(now);
        self.review_devices(&before, now);
        self.load_hints(now);
        if before.robots != sip.robots {
            self.load_robots();
        }
        if before.registrations != sip.registrations {
            self.register_everywhere(now);
        }
        self.work(now);
        unbound
    }
}
