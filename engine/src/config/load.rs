//! Reads a whole configuration directory.

use std::fmt;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::check;
use diesis_dialplan::conf::{self, Conf, FileSource, Options, Recovery};
use diesis_dialplan::diagnostic::{Diagnostic, Severity, SourceMap};
use diesis_dialplan::numbering::NumberingPlan;
use diesis_dialplan::plan::{LoadOptions, Plan};
use diesis_dialplan::timetable::Timetables;
use diesis_sounds::prompts::Library;

use super::added::WithAdded;
use super::cdr;
use super::dialplan::dialplan_checks;
use super::directory::DirectoryFiles;
use super::notes::Notes;
use super::prompts::{self, Prompts};
use super::secret::is_secret_line;
use super::setting::Block;
use super::settings::{
    ConferenceSettings, Peer, PeerNumbering, RtpSettings, SipSettings, SystemSettings,
};
use super::{
    FeatureSettings, MachineDetection, MusicSettings, ProgramSettings, acl, codes, conference,
    features, machine, music, numbering, parking, pjsip, programs, robots, rtp, rules, schedules,
    system, unread, videoshare,
};
use crate::cdr::CdrSettings;

/// Everything that the files of a directory say, as typed settings.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `pjsip.conf` and `robots.conf`.
    pub sip: SipSettings,
    /// `rtp.conf`.
    pub rtp: RtpSettings,
    /// `confbridge.conf`.
    pub conferences: ConferenceSettings,
    /// `features.conf`.
    pub features: FeatureSettings,
    /// `musiconhold.conf`.
    pub music: MusicSettings,
    /// `amd.conf`.
    pub machines: MachineDetection,
    /// `programs.conf`.
    /// `programs.conf`, `websocket_client.conf`, `chan_websocket.conf`.
    pub programs: ProgramSettings,
    /// `asterisk.conf`.
    pub system: SystemSettings,
    /// `cdr.conf`; `None` when recording is off. Without a file records are kept in the store alone.
    pub records: Option<CdrSettings>,
    /// `extensions.conf`.
    pub plan: Arc<Plan>,
}

impl Configuration {
    /// Reads a directory. Always gives a configuration and all there is to say about it; do not run
    /// one that [is refused](Loaded::is_refused): what its author meant is not what it says.
    #[expect(clippy::disallowed_methods, reason = "certificates on the disk hold until a date")]
    pub fn load_directory(directory: &Path) -> Loaded {
        let now = jiff::Timestamp::now();
        Self::read(&DirectoryFiles::new(directory), Some(directory), Some(now))
    }

    /// Where the things of the engine that runs this directory are: its socket, above all.
    pub fn system_of(directory: &Path) -> SystemSettings {
        let read =
            |blocks: &[Block<'_>], notes: &mut Notes| system::read(blocks, Some(directory), notes);
        let files = DirectoryFiles::new(directory);
        let settings = Parts::default().file("asterisk.conf", &files, read);
        settings.unwrap_or_else(|| SystemSettings::new(Some(directory)))
    }

    /// The numbering plan of a directory, and all there is to say about it; without
    /// `numbering.conf`, none.
    pub fn numbering_of(directory: &Path) -> Loaded<Option<NumberingPlan>> {
        let mut parts = Parts::default();
        let files = DirectoryFiles::new(directory);
        let plan = parts.file("numbering.conf", &files, numbering::read);
        Loaded { configuration: plan, parts: parts.parts }
    }

    /// The schedules of a directory, and all there is to say about them but for what they have to do
    /// with its other files; without `schedules.conf`, none.
    #[expect(clippy::disallowed_methods, reason = "closures are past at some date")]
    pub fn schedules_of(directory: &Path) -> Loaded<Option<Timetables>> {
        let mut parts = Parts::default();
        let files = DirectoryFiles::new(directory);
        let now = Some(jiff::Timestamp::now());
        let house = schedules::House { plan: None, entrances: &[], codes: &[] };
        let schedules = parts.file("schedules.conf", &files, |blocks, notes| {
            schedules::read(blocks, &files, house, now, notes)
        });
        Loaded { configuration: schedules, parts: parts.parts }
    }

    /// Reads files that are in no directory: embedded ones, or those of a test.
    ///
    /// ```
    /// use diesis_dialplan::conf::MemoryFiles;
    /// use diesis_engine::config::Configuration;
    ///
    /// let pjsip = "[udp]\ntype=transport\nbind=127.0.0.1:5060\n[1001]\ntype=endpiont\n";
    /// let loaded = Configuration::load(&MemoryFiles::new().with("pjsip.conf", pjsip));
    /// let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    /// assert!(said[0].starts_with("pjsip.conf:5:6: warning[C009]: there is no section type"));
    /// ```
    pub fn load(files: &dyn FileSource) -> Loaded {
        Self::read(files, None, None)
    }

    pub(super) fn read(
        files: &dyn FileSource,
        directory: Option<&Path>,
        now: Option<jiff::Timestamp>,
    ) -> Loaded {
        let mut parts = Parts::default();
        let parking = parts.file("res_parking.conf", files, parking::read);
        let lots = parking.as_deref().unwrap_or_default();
        let mut added = parking::extensions(lots);
        let mut dialplan = Dialplan::read(&WithAdded::new(files, added.clone()));
        let dialled = match (&dialplan, conf("schedules.conf", files)) {
            (Some(dialplan), Some(conf)) => schedules::codes_of(&Block::all(&conf), &dialplan.plan),
            _ => vec![],
        };
        if !dialled.is_empty() {
            added.extend(schedules::extensions(&dialled));
            dialplan = Dialplan::read(&WithAdded::new(files, added));
        }
        let system = parts
            .file("asterisk.conf", files, |blocks, notes| system::read(blocks, directory, notes))
            .unwrap_or_else(|| SystemSettings::new(directory));
        let plan = dialplan.as_ref().map(|dialplan| &dialplan.plan);
        let lists = parts.file("acl.conf", files, acl::read);
        let surroundings = pjsip::Surroundings { files, now, lists: lists.as_ref() };
        let mut sip = parts
            .file("pjsip.conf", files, |blocks, notes| {
                pjsip::read(blocks, plan, surroundings, notes)
            })
            .unwrap_or_else(|| {
                parts.missing("pjsip.conf", "SIP is spoken on port 5060, and nobody is let in");
                SipSettings::default()
            });
        if let Some(directory) = directory {
            sip.transports.iter_mut().for_each(|it| it.tls.count_from(directory));
        }
        let read =
            |blocks: &[Block<'_>], notes: &mut Notes| robots::read(blocks, &mut sip, plan, notes);
        parts.file("robots.conf", files, read);
        if directory.is_some() {
            let library = system.sounds.iter().fold(Library::new(), Library::root);
            let languages = prompts::languages(&sip, system.default_language.as_bstr());
            parts.prompts = Some(Prompts::new(library, languages));
        }
        let rtp = parts.file("rtp.conf", files, rtp::read).unwrap_or_default();
        let conferences =
            parts.file("confbridge.conf", files, conference::read).unwrap_or_default();
        let mut features = parts.file("features.conf", files, features::read).unwrap_or_default();
        if let Some(lots) = parking {
            features.parking = lots;
        }
        let data = system.sounds.as_deref().and_then(Path::parent);
        let read =
            |blocks: &[Block<'_>], notes: &mut Notes| music::read(blocks, files, data, notes);
        let machines = parts.file("amd.conf", files, machine::read).unwrap_or_default();
        let music = parts.file("musiconhold.conf", files, read).unwrap_or_default();
        let permitted =
            parts.file("programs.conf", files, programs::read_permitted).unwrap_or_default();
        let read = |blocks: &[Block<'_>], notes: &mut Notes| {
            programs::read_clients(blocks, directory, notes)
        };
        let clients = parts.file("websocket_client.conf", files, read).unwrap_or_default();
        let messages =
            parts.file("chan_websocket.conf", files, programs::read_messages).unwrap_or_default();
        let programs = ProgramSettings { permitted: Arc::new(permitted), clients, messages };
        let records = parts
            .file("cdr.conf", files, cdr::read)
            .unwrap_or_else(|| Some(CdrSettings::default()));
        let numbering = parts.file("numbering.conf", files, numbering::read);
        let asks = |peer: &&Peer| peer.numbering != PeerNumbering::None;
        if let (None, Some(peer)) = (&numbering, sip.peers.iter().find(asks)) {
            let message =
                format!("endpoint `{}` has numbering, and there is no numbering.conf", peer.name);
            let warning = Diagnostic::new(Severity::Warning, codes::FILE_MISSING, message);
            parts.say(Some(
                warning.with_help("numbers stay as they are; `diesis numbering export` begins one"),
            ));
        }
        let mut entrances: Vec<&BStr> =
            sip.peers.iter().map(|peer| peer.context.as_bstr()).collect();
        entrances.sort_unstable();
        entrances.dedup();
        let plan = dialplan.as_ref().map(|dialplan| &dialplan.plan);
        let house = schedules::House { plan, entrances: &entrances, codes: &dialled };
        let read = |blocks: &[Block<'_>], notes: &mut Notes| {
            schedules::read(blocks, files, house, now, notes)
        };
        let timetables = parts.file("schedules.conf", files, read).unwrap_or_default();
        let around = rules::Surroundings {
            files,
            numbering: numbering.as_ref(),
            timetables: &timetables,
            peers: &sip.peers,
        };
        let read = |blocks: &[Block<'_>], notes: &mut Notes| rules::read(blocks, around, notes);
        let rules = parts.file("rules.conf", files, read).unwrap_or_default();
        let around = videoshare::Surroundings {
            sip: &sip,
            conferences: &conferences,
            plan,
            logs: system.log_directory.as_deref(),
        };
        let read =
            |blocks: &[Block<'_>], notes: &mut Notes| videoshare::read(blocks, around, notes);
        let meetings = parts.file("videoshare.conf", files, read).unwrap_or_default();
        let plan = match dialplan {
            Some(mut dialplan) => {
                dialplan.diagnostics.extend(videoshare::unresolved(&dialplan.conf, &meetings));
                dialplan.plan.set_videoshare(meetings);
                if let Some(numbering) = numbering {
                    dialplan.plan.set_numbering(numbering);
                }
                let unresolved = schedules::unresolved(&dialplan.conf, &timetables);
                dialplan.diagnostics.extend(unresolved);
                let unresolved = robots::unresolved(&dialplan.conf, &sip.robots);
                dialplan.diagnostics.extend(unresolved);
                dialplan.plan.set_timetables(timetables);
                dialplan.plan.set_rules(rules);
                if let Some(prompts) = &parts.prompts {
                    dialplan.diagnostics.extend(prompts.check_dialplan(&dialplan.conf));
                }
                let plan = mem::take(&mut dialplan.plan);
                parts.parts.push(dialplan.part());
                plan
            }
            None => {
                let instead = "there is no dialplan, so every call is answered 404";
                parts.missing("extensions.conf", instead);
                Plan::default()
            }
        };
        let unread = unread::warn(files, |name| parts.has_read(name));
        parts.say(unread);
        let configuration = Self {
            sip,
            rtp,
            conferences,
            features,
            music,
            machines,
            programs,
            system,
            records,
            plan: Arc::new(plan),
        };
        Loaded { configuration, parts: parts.parts }
    }
}

/// A configuration with all there is to say about its files.
#[derive(Debug)]
pub struct Loaded<T = Configuration> {
    /// The settings. Where a file is wrong they hold what could be made of it.
    pub configuration: T,
    parts: Vec<Part>,
}

impl<T> Loaded<T> {
    /// What is wrong or suspicious, file by file.
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.parts.iter().flat_map(|part| {
            let finding = |diagnostic| Finding { diagnostic, sources: &part.sources };
            part.diagnostics.iter().map(finding)
        })
    }

    /// Whether the configuration must not run: a setting is wrong or missing, or the dialplan is one
    /// that Asterisk refuses as a whole. Single lines of a dialplan that are wrong are left out, as
    /// in Asterisk.
    pub fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| part.is_refused)
    }
}

/// A diagnostic with the files it speaks of. Printed, it shows file, line, column, the line and a
/// caret, but never a line with a password.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// What is wrong.
    pub diagnostic: &'a Diagnostic,
    /// The files that were read with it.
    pub sources: &'a SourceMap,
}

impl Finding<'_> {
    fn shows_secret(&self) -> bool {
        let related = self.diagnostic.related.iter().map(|related| related.span);
        self.diagnostic.span.into_iter().chain(related).any(|span| {
            let line = self.sources.line(span.file, span.start);
            is_secret_line(self.sources.text(self.sources.line_span(span.file, line)))
        })
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnostic, sources } = *self;
        if !self.shows_secret() {
            return diagnostic.render(sources).fmt(f);
        }
        if let Some(span) = diagnostic.span {
            write!(f, "{}: ", sources.place(span))?;
        }
        write!(f, "{}[{}]: {}", diagnostic.severity, diagnostic.code, diagnostic.message)?;
        match &diagnostic.help {
            Some(help) => write!(f, "\n   = help: {help}"),
            None => Ok(()),
        }
    }
}

/// One file with its includes.
#[derive(Debug)]
struct Part {
    diagnostics: Vec<Diagnostic>,
    sources: SourceMap,
    is_refused: bool,
}

impl Part {
    fn new(conf: Conf, notes: Vec<Diagnostic>, is_refused: bool) -> Self {
        let (mut diagnostics, sources) = conf.into_diagnostics();
        diagnostics.extend(notes);
        diagnostics.sort_by_key(|diagnostic| {
            diagnostic.span.map_or((true, None, 0), |span| (false, Some(span.file), span.start))
        });
        Self { diagnostics, sources, is_refused }
    }
}

/// Reads a file with its includes; `None` when there is no such file.
fn conf(name: &str, files: &dyn FileSource) -> Option<Conf> {
    if files.read(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return None;
    }
    // All damage in one run: a file that is refused is not run anyway.
    let recovery = Recovery::Continue { implied_section: BString::default() };
    Some(conf::load(name, files, &Options::default().with_recovery(recovery)))
}

struct Dialplan {
    plan: Plan,
    conf: Conf,
    diagnostics: Vec<Diagnostic>,
}

impl Dialplan {
    fn read(files: &dyn FileSource) -> Option<Self> {
        let conf = conf("extensions.conf", files)?;
        let (plan, loading) = Plan::load(&conf, &LoadOptions::default());
        let diagnostics = check::diagnose(&conf, &plan, loading, &dialplan_checks());
        Some(Self { plan, conf, diagnostics })
    }

    fn part(self) -> Part {
        let (is_refused, sources) = (self.conf.is_refused(), self.conf.into_diagnostics().1);
        Part { diagnostics: self.diagnostics, sources, is_refused }
    }
}

#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    /// By what the names of prompts are looked at; files in no directory have none.
    prompts: Option<Prompts>,
}

impl Parts {
    /// Reads a file with `read`; `None` when there is no such file.
    fn file<T>(
        &mut self,
        name: &str,
        files: &dyn FileSource,
        read: impl FnOnce(&[Block<'_>], &mut Notes) -> T,
    ) -> Option<T> {
        let conf = conf(name, files)?;
        let mut notes = Notes::default();
        let settings = read(&Block::all(&conf), &mut notes);
        if let Some(prompts) = &mut self.prompts {
            prompts.check_settings(name, &conf, &mut notes);
        }
        let notes = notes.finish();
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        let is_refused = conf.has_errors() || notes.iter().any(is_error);
        self.parts.push(Part::new(conf, notes, is_refused));
        Some(settings)
    }

    fn missing(&mut self, name: &str, instead: &str) {
        let message = format!("there is no {name}");
        let diagnostic = Diagnostic::new(Severity::Warning, codes::FILE_MISSING, message);
        self.say(Some(diagnostic.with_help(instead)));
    }

    fn say(&mut self, diagnostic: Option<Diagnostic>) {
        let diagnostics = diagnostic.into_iter().collect();
        self.parts.push(Part { diagnostics, sources: SourceMap::new(), is_refused: false });
    }

    /// Whether a file was read, as itself or as an include of another.
    fn has_read(&self, name: &str) -> bool {
        self.parts
            .iter()
            .any(|part| part.sources.files().any(|file| part.sources.name(file) == name))
    }
}
