//! What differs between two configurations, in an operator's words.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use bstr::{BStr, BString};
use diesis_dialplan::plan::{Context, Plan};

use crate::{
    config::{Configuration, Name, Named, Registration, SipSettings, TransportSettings},
    printable::Printable,
};

/// What changed, a line each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Changes {
    /// In force from now on.
    pub(super) in_force: Vec<String>,
    /// Not before the next start.
    pub(super) at_restart: Vec<String>,
}

impl Changes {
    /// What there is to say of `new` in the place of `old`.
    pub(super) fn between(old: &Configuration, new: &Configuration) -> Self {
        let mut changes = Self::default();
        changes.sip(&old.sip, &new.sip);
        changes.plan(&old.plan, &new.plan);
        changes.note(old.plan.timetables() != new.plan.timetables(), "schedules and calendars");
        changes.note(old.plan.numbering() != new.plan.numbering(), "numbering plan");
        changes.note(old.plan.rules() != new.plan.rules(), "forwarding rules");
        changes.note(old.conferences != new.conferences, "conference profiles");
        changes.note(old.features != new.features, "feature codes");
        changes.note(old.music != new.music, "music on hold");
        changes.note(old.machines != new.machines, "amd.conf");
        changes.note(old.programs != new.programs, "programs outside");
        let (was, is) = (&old.system, &new.system);
        changes.note(was.default_language != is.default_language, "default language");
        changes.later(old.rtp != new.rtp, "media ports (rtp.conf)");
        changes.later(was.sounds != is.sounds, "the prompts' directory (astdatadir)");
        changes.later(was.run_directory != is.run_directory, "the control socket (astrundir)");
        changes.later(was.log_directory != is.log_directory, "the log directory (astlogdir)");
        changes.later(
            was.spool_directory != is.spool_directory,
            "the directory of call files and recordings (astspooldir)",
        );
        changes.later(
            was.recording_directories != is.recording_directories,
            "directories for recordings (recordingdirs)",
        );
        let database = was.database_directory != is.database_directory;
        changes.later(database, "the database directory (astdbdir)");
        changes.later(old.records != new.records, "call records (cdr.conf)");
        changes
    }

    fn note(&mut self, has_changed: bool, what: &str) {
        if has_changed {
            self.in_force.push(format!("{what}: changed"));
        }
    }

    fn later(&mut self, has_changed: bool, what: &str) {
        if has_changed {
            self.at_restart.push(what.to_owned());
        }
    }

    fn sip(&mut self, old: &SipSettings, new: &SipSettings) {
        self.transports(&old.transports, &new.transports);
        let (was, is) = (networks(old), networks(new));
        let same_networks = |name: &BStr| was.get(name) == is.get(name);
        self.named("endpoints", &old.peers, &new.peers, |a, b| {
            a == b && same_networks(a.name.as_ref())
        });
        self.named("aors", &old.aors, &new.aors, PartialEq::eq);
        let (was, is) = (registrations(old), registrations(new));
        let added = is.keys().filter(|name| !was.contains_key(*name)).cloned().collect();
        let gone = was.keys().filter(|name| !is.contains_key(*name)).cloned().collect();
        let differs =
            |(name, now): &(&BString, &Vec<_>)| was.get(*name).is_some_and(|before| before != *now);
        let changed = is.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        self.list("registrations", added, changed, gone);
        self.named("robots", &old.robots, &new.robots, PartialEq::eq);
        self.note(old.default_realm != new.default_realm, "realm");
        self.note(old.digest_algorithms != new.digest_algorithms, "digest algorithms");
        self.note(old.bans != new.bans, "bans");
        self.note(old.scanners != new.scanners, "treatment of scanners");
        self.later(old.stack != new.stack, "how requests are sent (type=system)");
        self.note(old.user_agent != new.user_agent, "user agent");
    }

    fn transports(&mut self, old: &[TransportSettings], new: &[TransportSettings]) {
        for transport in new {
            let name = Printable(&transport.name);
            match old.iter().find(|it| it.name == transport.name) {
                None => self.at_restart.push(format!("transport {name}: new")),
                Some(was) if !is_same_socket(was, transport) => {
                    self.at_restart.push(format!("transport {name}: protocol or address"));
                }
                Some(was) => {
                    self.later(
                        was.tls != transport.tls,
                        &format!("transport {name}: its TLS settings"),
                    );
                    self.later(
                        was.options != transport.options,
                        &format!("transport {name}: tos, cos or tcp_keepalive"),
                    );
                    let carried = TransportSettings {
                        tls: was.tls.clone(),
                        options: was.options,
                        ..transport.clone()
                    };
                    self.note(carried != *was, &format!("transport {name}"));
                }
            }
        }
        for gone in old.iter().filter(|old| !new.iter().any(|it| it.name == old.name)) {
            self.at_restart.push(format!("transport {}: gone", Printable(&gone.name)));
        }
    }

    fn named<T: Name>(
        &mut self,
        what: &str,
        old: &Named<T>,
        new: &Named<T>,
        is_same: impl Fn(&T, &T) -> bool,
    ) {
        let name = |it: &T| it.name().to_owned();
        let added = new.iter().filter(|it| old.get(it.name()).is_none()).map(name).collect();
        let gone = old.iter().filter(|it| new.get(it.name()).is_none()).map(name).collect();
        let differs = |it: &&T| old.get(it.name()).is_some_and(|was| !is_same(was, it));
        let changed = new.iter().filter(differs).map(name).collect();
        self.list(what, added, changed, gone);
    }

    fn plan(&mut self, old: &Plan, new: &Plan) {
        let (was, is) = (contexts(old), contexts(new));
        let names = |of: &BTreeMap<BString, u64>, keep: &dyn Fn(&BString, u64) -> bool| {
            of.iter()
                .filter(|(name, sum)| keep(name, **sum))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let added = names(&is, &|name, _| !was.contains_key(name));
        let gone = names(&was, &|name, _| !is.contains_key(name));
        let changed = names(&is, &|name, sum| was.get(name).is_some_and(|before| *before != sum));
        self.list("dialplan contexts", added, changed, gone);
        self.note(old.globals() != new.globals(), "dialplan globals");
        self.note(old.settings() != new.settings(), "[general] of extensions.conf");
    }

    fn list(&mut self, what: &str, added: Vec<BString>, changed: Vec<BString>, gone: Vec<BString>) {
        let kinds = [("added", added), ("changed", changed), ("removed", gone)];
        let parts: Vec<String> = kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{} {kind} ({})", names.len(), shortened(names)))
            .collect();
        if !parts.is_empty() {
            self.in_force.push(format!("{what}: {}", parts.join(", ")));
        }
    }
}

/// Whether what is bound for one serves the other.
pub(super) fn is_same_socket(was: &TransportSettings, is: &TransportSettings) -> bool {
    was.protocol == is.protocol && was.bind == is.bind
}

/// What is registered elsewhere, by the section it was made from.
fn registrations(sip: &SipSettings) -> BTreeMap<BString, Vec<&Registration>> {
    let mut sections: BTreeMap<BString, Vec<&Registration>> = BTreeMap::new();
    for registration in &sip.registrations {
        sections.entry(registration.section.clone()).or_default().push(registration);
    }
    sections
}

/// The networks by which each peer is recognised.
fn networks(sip: &SipSettings) -> BTreeMap<&BStr, BTreeSet<String>> {
    let mut networks: BTreeMap<&BStr, BTreeSet<String>> = BTreeMap::new();
    for (network, peer) in sip.identify.iter() {
        networks.entry(sip.peers[peer].name.as_ref()).or_default().insert(network.to_string());
    }
    networks
}

fn contexts(plan: &Plan) -> BTreeMap<BString, u64> {
    plan.contexts().map(|context| (context.name().to_owned(), fingerprint(&context))).collect()
}

/// The same for contexts that say the same, wherever in a file they stand.
fn fingerprint(context: &Context<'_>) -> u64 {
    let mut sum = DefaultHasher::new();
    for extension in context.extensions() {
        (extension.name(), extension.caller()).hash(&mut sum);
        for step in extension.steps().chain(extension.hint()) {
            format!("{:?}", step.priority()).hash(&mut sum);
            (step.label(), step.application(), step.arguments()).hash(&mut sum);
        }
    }
    context.includes().for_each(|include| include.text().hash(&mut sum));
    context.ignore_patterns().for_each(|pattern| pattern.hash(&mut sum));
    context.switches().iter().for_each(|switch| format!("{switch:?}").hash(&mut sum));
    context.has_auto_hints().hash(&mut sum);
    sum.finish()
}

fn shortened(names: &[BString]) -> String {
    let shown: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| Printable(name).to_string()).collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// More are only counted.
const MOST_NAMES: usize = 10;

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::MemoryFiles;

    use super::*;

    const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n\
         [1001]\ntype=endpoint\ncontext=a\naors=1001\n[1001]\ntype=aor\nmax_contacts=1\n\
         [1002]\ntype=endpoint\ncontext=a\n";

    fn configuration(pjsip: &str, extensions: &str) -> Configuration {
        let files =
            MemoryFiles::new().with("pjsip.conf", pjsip).with("extensions.conf", extensions);
        Configuration::load(&files).configuration
    }

    #[test]
    fn the_same_files_differ_in_nothing() {
        let plan = "[a]\nexten => 1,1,Answer()\ninclude => b\n[b]\nexten => 1,hint,PJSIP/1001\n";
        let (one, other) = (configuration(PJSIP, plan), configuration(PJSIP, plan));
        assert_eq!(Changes::between(&one, &other), Changes::default());
        // Nor does a comment, or another order of sections.
        let moved = "[b]\nexten => 1,hint,PJSIP/1001\n; so\n[a]\nexten=1,1,Answer\ninclude=b\n";
        assert_eq!(Changes::between(&one, &configuration(PJSIP, moved)), Changes::default());
    }

    #[test]
    fn what_differs_is_named() {
        let old = configuration(PJSIP, "[a]\nexten => 1,1,Answer()\n[b]\nexten => 1,1,Answer()\n");
        let pjsip = PJSIP.replace("[1002]", "[1003]").replace("max_contacts=1", "max_contacts=2")
            + "[1001-ip]\ntype=identify\nendpoint=1001\nmatch=192.0.2.1\n";
        let new = configuration(&pjsip, "[a]\nexten => 1,1,Answer()\n same => n,Hangup()\n[c]\n");
        assert_eq!(
            Changes::between(&old, &new).in_force,
            [
                "endpoints: 1 added (1003), 1 changed (1001), 1 removed (1002)",
                "aors: 1 changed (1001)",
                "dialplan contexts: 1 added (c), 1 changed (a), 1 removed (b)",
            ]
        );
    }

    #[test]
    fn sockets_wait_for_a_restart() {
        let old = configuration(PJSIP, "");
        let moved = PJSIP.replace("127.0.0.1:5060", "127.0.0.1:5070")
            + "[tcp]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1:5060\n";
        let changes = Changes::between(&old, &configuration(&moved, ""));
        assert_eq!(changes.in_force, [""; 0]);
        let expected = ["transport udp: protocol or address", "transport tcp: new"];
        assert_eq!(changes.at_restart, expected);
        let outside = PJSIP.replace("5060\n", "5060\nexternal_media_address=192.0.2.1\n");
        let changes = Changes::between(&old, &configuration(&outside, ""));
        assert_eq!(changes.in_force, ["transport udp: changed"]);
    }
}
