//! From configuration text to a plan (pbx/pbx_config.c: pbx_load_config).

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    FallThrough, GlobalsAtReload, HINT, Plan, Settings, Switch,
    build::{Added, Builder, NewStep},
};
use crate::{
    ast::{Ending, Statement, StatementKind, StepLine, SwitchKind},
    channel::Channel,
    codes,
    conf::{Conf, Entry, Section, is_true},
    diagnostic::{Diagnostic, FileId, Span},
    host::MemoryHost,
    parser::{self, parse_include},
    schedule::Schedule,
    scope::Scope,
    state::State,
    world::World,
};

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    bare_arguments: BareArguments,
    world: World,
    now: Timestamp,
    zone: TimeZone,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            bare_arguments: BareArguments::default(),
            world: World::default(),
            now: Timestamp::UNIX_EPOCH,
            zone: TimeZone::UTC,
        }
    }
}

/// What `App,a,b` means: an application without parentheses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareArguments {
    /// An application of that whole name, as since Asterisk 1.6. It does not exist, and a call
    /// that comes to it ends.
    #[default]
    Name,
    /// `App` with the arguments `a,b`, as before Asterisk 1.6; `App|a|b` as well.
    Arguments,
}

impl LoadOptions {
    /// What `App,a,b` means. Default: [`BareArguments::Name`], as Asterisk has it now.
    pub fn with_bare_arguments(mut self, bare_arguments: BareArguments) -> Self {
        self.bare_arguments = bare_arguments;
        self
    }

    /// What `${...}` in globals, names of extensions, includes and hints sees while loading: the
    /// database, and the globals that stay over a reload. Default: nothing.
    pub fn with_world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// When it is, for `${EPOCH}` and the like while loading. Default: 1970.
    pub fn with_time(mut self, now: Timestamp, zone: TimeZone) -> Self {
        self.now = now;
        self.zone = zone;
        self
    }
}

impl Plan {
    /// Makes a plan of a configuration that was read, and tells all that Asterisk would drop or
    /// change on the way, most of it without a word. What the configuration layer itself found is
    /// not repeated: see [`Conf::diagnostics`].
    pub fn load(conf: &Conf, options: &LoadOptions) -> (Self, Vec<Diagnostic>) {
        let mut host = MemoryHost::new(options.now);
        host.world = options.world.clone();
        host.zone = options.zone.clone();
        let mut loader = Loader {
            conf,
            options,
            host,
            state: State::new(Channel::new("")),
            nothing: Self::default(),
            builder: Builder::default(),
            diagnostics: vec![],
            files: HashMap::new(),
            includes: vec![],
        };
        loader.read_settings();
        loader.read_globals();
        for section in conf.sections() {
            let name = section.name();
            if !is_reserved(name) {
                loader.read_context(section);
            }
        }
        loader.check_includes();
        (loader.builder.finish(), loader.diagnostics)
    }
}

fn is_reserved(name: &BStr) -> bool {
    name.eq_ignore_ascii_case(b"general") || name.eq_ignore_ascii_case(b"globals")
}

struct Loader<'a> {
    conf: &'a Conf,
    options: &'a LoadOptions,
    /// What evaluations while loading work on: there is no call yet.
    host: MemoryHost,
    state: State,
    nothing: Plan,
    builder: Builder,
    diagnostics: Vec<Diagnostic>,
    /// The plan's numbers of files.
    files: HashMap<FileId, u32>,
    /// The contexts included, to be looked for at the end.
    includes: Vec<(BString, Span)>,
}

/// What the lines of a section have in common.
#[derive(Default)]
struct Running {
    context: usize,
    /// The extension of the last `exten` line, with its caller part.
    extension: BString,
    priority: Option<i32>,
}

/// A step line is dropped; what is wrong has been reported.
struct Dropped;

impl<'a> Loader<'a> {
    fn read_settings(&mut self) {
        let Some(general) = self.conf.section("general") else { return };
        let mut settings = Settings::default();
        let yes = |name: &str| general.get(name).is_some_and(is_true);
        settings.static_file = yes("static");
        if general.get("autofallthrough").is_some_and(|value| !is_true(value)) {
            settings.fall_through = FallThrough::WaitForExtension;
        }
        if yes("clearglobalvars") {
            settings.globals_at_reload = GlobalsAtReload::Clear;
        }
        if let Some(context) = general.get("userscontext") {
            settings.users_context = context.into();
        }
        let entries = general.entries();
        entries.for_each(|entry| self.diagnostics.extend(setting_without_effect(entry)));
        self.builder.settings = settings;
    }

    fn read_globals(&mut self) {
        let sections =
            self.conf.sections().filter(|section| section.name().eq_ignore_ascii_case(b"globals"));
        for entry in sections.flat_map(|section| section.entries()) {
            let value = self.substitute(entry.value(), None);
            self.builder.keep_global_line(entry.name(), entry.value());
            self.set_global(entry, value);
        }
    }

    fn set_global(&mut self, entry: Entry<'_>, value: BString) {
        let name = entry.name();
        if name.ends_with(b")") {
            self.write_function(entry, &value);
            return;
        }
        // Underscores mean inheritance, which globals do not have; the name is without them.
        let name = name.strip_prefix(b"__").or_else(|| name.strip_prefix(b"_")).unwrap_or(name);
        self.host.world.globals.set(name, &value);
        self.builder.set_global(name.as_bstr(), value);
    }

    /// `DB(family/key) = value`: seen by what is evaluated while loading; the engine's own world gets it from
    /// [`Plan::set_globals`].
    fn write_function(&mut self, entry: Entry<'_>, value: &BString) {
        let before = self.host.log.len();
        Scope { state: &mut self.state, plan: &self.nothing, host: &mut self.host }
            .assign(entry.name(), value);
        if let Some((_, why)) = self.host.log.get(before) {
            let message = format!("this is not set: {why}");
            self.diagnostics.push(Diagnostic::error(
                codes::GLOBAL_INVALID,
                entry.name_span(),
                message,
            ));
        }
    }

    fn read_context(&mut self, section: Section<'a>) {
        let context = self.builder.context(section.name());
        let mut running = Running { context, ..Running::default() };
        for entry in section.entries() {
            let statement = parser::parse(entry);
            match &statement.kind {
                StatementKind::Step(line) => {
                    // What is wrong has been reported.
                    let _ = self.read_step(&statement, line, &mut running);
                }
                StatementKind::Include(_) => self.read_include(&statement, context),
                StatementKind::IgnorePattern => self.read_ignore_pattern(&statement, context),
                StatementKind::Switch(kind) => self.read_switch(&statement, *kind, context),
                StatementKind::AutoHints => {
                    self.builder.set_auto_hints(context, is_true(entry.value()));
                }
                StatementKind::Unknown => self.report_unknown(&statement),
            }
        }
    }

    fn read_step(
        &mut self,
        statement: &Statement<'_>,
        line: &StepLine,
        running: &mut Running,
    ) -> Result<(), Dropped> {
        match &line.extension {
            Some(range) => {
                running.extension = self.substitute(statement.text(range), None);
                if running.extension.len() > EXTENSION_LIMIT {
                    let message = format!("this name is cut to {EXTENSION_LIMIT} bytes");
                    let span = statement.span(range);
                    self.report(Diagnostic::warning(codes::EXTENSION_TOO_LONG, span, message));
                    running.extension.truncate(EXTENSION_LIMIT);
                }
            }
            None if running.extension.is_empty() => {
                return self.drop_line(
                    Diagnostic::error(
                        codes::SAME_OF_NOTHING,
                        statement.entry.name_span(),
                        "`same` has no `exten` line above it in this section: this line is dropped",
                    )
                    .with_help("write `exten => extension,1,..`"),
                );
            }
            None => {}
        }
        let (name, caller) = split_caller(running.extension.as_bstr());
        let caller = caller.map(shrink_number);
        let priority = self.priority(statement, line, name, caller.as_ref(), running)?;
        let Some(priority) = priority else {
            return self.drop_line(
                Diagnostic::error(
                    codes::LOST_AFTER_HINT,
                    statement.span(&line.priority),
                    "`n` after a hint counts from nothing: this line is dropped, silently in Asterisk",
                )
                .with_help("write `1` here, and `n` from the next line on"),
            );
        };
        running.priority = Some(priority);
        let extension = without_blanks(name);
        if extension.is_empty() {
            return self.drop_line(
                Diagnostic::error(
                    codes::EXTENSION_EMPTY,
                    statement.entry.value_span(),
                    "this extension has no name: this line is dropped",
                )
                .with_help("a variable in the name must be set in `[globals]`"),
            );
        }
        if extension == "_." || extension == "_!" {
            self.warn_of_catch_all(statement, extension.as_bstr());
        }
        let (application, arguments) = self.application(statement, line, priority);
        let application = if priority == HINT && extension.first() != Some(&b'_') {
            let context = self.builder.name(running.context);
            self.substitute(application, Some((context.as_bstr(), extension.as_bstr())))
        } else {
            application.into()
        };
        let caller = caller.map(|caller| without_blanks(caller.as_bstr()));
        let label = line.label.as_ref().map(|range| statement.text(range));
        let file = self.file(statement);
        let added = self.builder.add_step(
            running.context,
            &NewStep {
                extension: extension.as_bstr(),
                caller: caller.as_ref().map(|caller| caller.as_bstr()),
                priority,
                label: label.filter(|label| !label.is_empty()),
                application: application.as_bstr(),
                arguments,
                file,
                line: statement.entry.line(),
            },
        );
        self.report_added(statement, line, extension.as_bstr(), added);
        Ok(())
    }

    /// The priority of a line; `None` if it is `n` right after a hint.
    fn priority(
        &mut self,
        statement: &Statement<'_>,
        line: &StepLine,
        name: &BStr,
        caller: Option<&BString>,
        running: &Running,
    ) -> Result<Option<i32>, Dropped> {
        if line.label_end == Ending::Open {
            let label = line.label.as_ref().unwrap_or(&line.priority);
            let message = "this label has no closing `)`: this line is dropped";
            let span = statement.span(label);
            return self.drop_line(Diagnostic::error(codes::LABEL_UNCLOSED, span, message));
        }
        let text = statement.text(&line.priority);
        let base = match text.as_bytes() {
            b"hint" => HINT,
            b"n" | b"next" | b"s" | b"same" => {
                let Some(last) = running.priority else {
                    return self.drop_line(
                        Diagnostic::error(
                            codes::NEXT_OF_NOTHING,
                            statement.span(&line.priority),
                            format!("`{text}` has no line above it in this section to count from: this line is dropped"),
                        )
                        .with_help("write `1`"),
                    );
                };
                if text.first() == Some(&b'n') {
                    let Some(next) = last.checked_add(1) else {
                        return self.drop_priority(statement, line);
                    };
                    next
                } else {
                    last
                }
            }
            _ => match scan_integer(text) {
                Some(number) if number >= 1 => number,
                Some(_) => return self.drop_priority(statement, line),
                None => {
                    let caller = caller.map(|caller| caller.as_bstr());
                    let label = self.builder.find_label(running.context, name, caller, text);
                    match label.filter(|&priority| priority >= 1) {
                        Some(priority) => priority,
                        None => return self.drop_priority(statement, line),
                    }
                }
            },
        };
        if base == 0 {
            return Ok(None);
        }
        let offset = line
            .offset
            .as_ref()
            .map_or(0, |range| scan_integer(statement.text(range)).unwrap_or(0));
        let priority = base.wrapping_add(offset);
        if priority < 1 && priority != HINT || priority == HINT && base != HINT {
            return self.drop_priority(statement, line);
        }
        let lost = statement.text(&line.after_label);
        if !lost.is_empty() {
            let message = format!("`{lost}` after the label is ignored");
            let help = format!("write the offset before the label, such as `{text}{lost}(label)`");
            let span = statement.span(&line.after_label);
            self.report(Diagnostic::warning(codes::OFFSET_LOST, span, message).with_help(help));
        }
        Ok(Some(priority))
    }

    fn drop_priority<T>(
        &mut self,
        statement: &Statement<'_>,
        line: &StepLine,
    ) -> Result<T, Dropped> {
        let text = statement.text(&line.priority);
        let extension =
            line.extension.as_ref().map_or_else(Default::default, |range| statement.text(range));
        if text.is_empty()
            && memchr::memchr(b'[', extension)
                .is_some_and(|open| !extension[open..].contains(&b']'))
        {
            let open = memchr::memchr(b'[', extension).unwrap_or(0);
            return self.drop_line(
                Diagnostic::error(
                    codes::SET_UNCLOSED,
                    statement.entry.part_span(open..open + 1),
                    "this `[` is never closed, so that all of the line is the extension's name: it is dropped",
                )
                .with_help("close the set with `]`"),
            );
        }
        let (message, help) = priority_flaw(statement, line);
        let span = match text.is_empty() {
            true => statement.entry.value_span(),
            false => statement.span(&line.priority),
        };
        self.drop_line(Diagnostic::error(codes::PRIORITY_INVALID, span, message).with_help(help))
    }

    /// The application and its arguments, as the options want them.
    fn application<'s>(
        &mut self,
        statement: &'s Statement<'_>,
        line: &StepLine,
        priority: i32,
    ) -> (&'s BStr, &'s BStr) {
        let name = statement.text(&line.application);
        let arguments = statement.text(&line.arguments);
        if priority == HINT {
            return (name, arguments);
        }
        match line.arguments_end {
            Ending::Absent => return self.bare_application(statement, line),
            Ending::Open if !statement.entry.is_broken() => self.report_unclosed(statement, line),
            Ending::Open => {}
            Ending::Closed => self.report_trailing(statement, line),
        }
        if name.last().is_some_and(|&last| last <= b' ') && !name.trim_ascii().is_empty() {
            let trimmed = name.trim_ascii_end().as_bstr();
            let end = line.application.start + trimmed.len();
            self.report(
                Diagnostic::error(
                    codes::BLANK_BEFORE_PARENTHESIS,
                    statement.entry.part_span(end..line.application.end),
                    format!("the blank belongs to the name: there is no application `{name}`, and a call that comes here ends"),
                )
                .with_help(format!("write `{trimmed}(`")),
            );
        }
        (name, arguments)
    }

    fn bare_application<'s>(
        &mut self,
        statement: &'s Statement<'_>,
        line: &StepLine,
    ) -> (&'s BStr, &'s BStr) {
        let text = statement.text(&line.application);
        let Some(separator) = text.find_byteset(",|") else { return (text, "".into()) };
        let name = text[..separator].trim_ascii_end().as_bstr();
        let arguments = text[separator + 1..].as_bstr();
        if self.options.bare_arguments == BareArguments::Arguments {
            return (name, arguments);
        }
        let arguments = arguments.replace("|", ",");
        self.report(
            Diagnostic::error(
                codes::APPLICATION_BARE,
                statement.span(&line.application),
                "without parentheses, all of this is the name of an application that does not exist, and a call that comes here ends",
            )
            .with_help(format!("write `{name}({})`", arguments.as_bstr())),
        );
        (text, "".into())
    }

    fn report_unclosed(&mut self, statement: &Statement<'_>, line: &StepLine) {
        let name = statement.text(&line.application);
        let message =
            format!("`{name}(` is not closed: all up to the end of the line is its argument");
        let span = statement.entry.part_span(line.application.start..line.arguments.start);
        let cut = self.semicolon_after(statement);
        let diagnostic = Diagnostic::warning(codes::APPLICATION_UNCLOSED, span, message);
        self.report(match cut {
            Some(cut) => diagnostic
                .with_help("a semicolon begins a comment, also in quotes: write `\\;`")
                .with_related(cut, "the comment begins here"),
            None => diagnostic.with_help("add `)`"),
        });
    }

    /// The semicolon right after a value, if its line goes on as a comment.
    fn semicolon_after(&self, statement: &Statement<'_>) -> Option<Span> {
        let Span { file, end, .. } = statement.entry.value_span();
        let rest = self.conf.sources().bytes(file).get(end as usize..)?;
        let blanks = rest.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count() as u32;
        let at = end + blanks;
        (rest.get(blanks as usize) == Some(&b';')).then_some(Span { file, start: at, end: at + 1 })
    }

    fn report_trailing(&mut self, statement: &Statement<'_>, line: &StepLine) {
        let lost = statement.text(&line.after_arguments);
        if lost.trim_ascii().is_empty() {
            return;
        }
        let span = statement.span(&line.after_arguments);
        let message = format!("`{}` after the last `)` is ignored", lost.trim_ascii().as_bstr());
        self.report(
            Diagnostic::warning(codes::TEXT_AFTER_APPLICATION, span, message)
                .with_help("comments begin with `;`"),
        );
    }

    fn warn_of_catch_all(&mut self, statement: &Statement<'_>, extension: &BStr) {
        let letter = if extension == "_." { "." } else { "!" };
        self.report(
            Diagnostic::warning(
                codes::EXTENSION_CATCHES_ALL,
                statement.entry.value_span(),
                format!(
                    "`{extension}` also matches `h`, `i`, `t` and all other special extensions"
                ),
            )
            .with_help(format!("write `_X{letter}` for numbers")),
        );
    }

    fn report_added(
        &mut self,
        statement: &Statement<'_>,
        line: &StepLine,
        extension: &BStr,
        added: Added,
    ) {
        match added {
            Added::Whole => {}
            Added::WithoutLabel { line: other, file } => {
                let Some(label) = &line.label else { return };
                let text = statement.text(label);
                let place = self.place(file, other);
                let message = format!(
                    "extension `{extension}` has the label `{text}` already: this line stays without it"
                );
                let diagnostic =
                    Diagnostic::warning(codes::LABEL_TAKEN, statement.span(label), message);
                self.report(with_place(diagnostic, place));
            }
            Added::Taken { line: other, file, name } => {
                let place = self.place(file, other);
                let same = if name == extension {
                    format!("extension `{extension}` has this priority already")
                } else {
                    format!(
                        "extension `{extension}` is the same as `{name}`, which has this priority already"
                    )
                };
                let message = format!("{same}: this line is dropped");
                let span = statement.entry.span();
                let diagnostic = Diagnostic::error(codes::PRIORITY_TAKEN, span, message)
                    .with_help("the first definition wins; remove one, or write `n`");
                self.report(with_place(diagnostic, place));
            }
        }
    }

    fn read_include(&mut self, statement: &Statement<'_>, context: usize) {
        let value = statement.entry.value();
        let text = self.substitute(value, None);
        let line = parse_include(text.as_bstr());
        let is_as_written = text == value;
        // Only what was not replaced has a place of its own.
        let span = |range: std::ops::Range<usize>| match is_as_written {
            true => statement.entry.part_span(range),
            false => statement.entry.value_span(),
        };
        let name: &BStr = text[line.context.clone()].as_bstr();
        let schedule = line.schedule.and_then(|range| {
            let mut flaws = vec![];
            let schedule = Schedule::parse_with_flaws(text[range.clone()].as_bstr(), &mut flaws)?;
            for flaw in &flaws {
                let at = range.start + flaw.range.start..range.start + flaw.range.end;
                self.report(
                    Diagnostic::warning(codes::SCHEDULE_FLAW, span(at), flaw.to_string())
                        .with_help(flaw.help()),
                );
            }
            if flaws.is_empty() && !schedule.can_hold() {
                let message = "this time condition never holds";
                let span = span(range);
                self.report(Diagnostic::warning(codes::SCHEDULE_NEVER, span, message));
            }
            Some(Box::new(schedule))
        });
        let whole = statement.entry.value_span();
        if self.builder.add_include(context, text.as_bstr(), name, schedule) {
            self.includes.push((name.into(), span(line.context)));
        } else {
            let message = format!("`{text}` is included already: this line is ignored");
            self.report(Diagnostic::warning(codes::INCLUDED_TWICE, whole, message));
        }
    }

    fn check_includes(&mut self) {
        for (name, span) in std::mem::take(&mut self.includes) {
            if self.builder.has_context(name.as_bstr()) {
                continue;
            }
            let message = format!("there is no context `{name}` to include");
            self.report(
                Diagnostic::warning(codes::INCLUDED_CONTEXT_MISSING, span, message)
                    .with_help(format!("write `[{name}]` above its lines, or remove this one")),
            );
        }
    }

    fn read_ignore_pattern(&mut self, statement: &Statement<'_>, context: usize) {
        let text = self.substitute(statement.entry.value(), None);
        if !self.builder.add_ignore_pattern(context, text.as_bstr()) {
            let message = format!("`{text}` is ignored already");
            let span = statement.entry.value_span();
            self.report(Diagnostic::warning(codes::IGNORED_TWICE, span, message));
        }
    }

    fn read_switch(&mut self, statement: &Statement<'_>, kind: SwitchKind, context: usize) {
        let value = statement.entry.value();
        let text = match kind {
            SwitchKind::AtLoad => self.substitute(value, None),
            SwitchKind::Literal | SwitchKind::AtLookup => value.into(),
        };
        let (name, data) = text.split_once_str("/").unwrap_or((&text, b""));
        let switch = Switch { kind: name.into(), data: data.into(), evaluation: kind };
        let span = statement.entry.value_span();
        if !self.builder.add_switch(context, switch) {
            let message = format!("the switch `{text}` stands here already");
            self.report(Diagnostic::warning(codes::SWITCHED_TWICE, span, message));
            return;
        }
        if name.eq_ignore_ascii_case(b"Loopback") {
            if !super::loopback::is_simple(data) {
                let message =
                    "only EXTEN, CONTEXT and PRIORITY are known here: anything else is empty";
                self.report(Diagnostic::warning(codes::SWITCH_UNKNOWN, span, message));
            }
            return;
        }
        let message = format!("there is no switch `{}` here: it finds nothing", name.as_bstr());
        self.report(
            Diagnostic::warning(codes::SWITCH_UNKNOWN, span, message)
                .with_help("write the extensions into a file and `#include` it"),
        );
    }

    fn report_unknown(&mut self, statement: &Statement<'_>) {
        let entry = statement.entry;
        let name = entry.name();
        let message = format!("`{name}` is not a line of a context: this line is ignored");
        let known =
            ["exten", "same", "include", "ignorepat", "switch", "lswitch", "eswitch", "autohints"];
        let diagnostic = Diagnostic::error(codes::LINE_UNKNOWN, entry.name_span(), message);
        let guess =
            crate::spelling::closest(name, known.iter().map(|name| name.as_bytes().as_bstr()));
        self.report(match guess {
            Some(guess) => diagnostic.with_help(format!("did you mean `{guess}`?")),
            None => diagnostic.with_help("lines of a context begin with `exten` or `same`"),
        });
    }

    fn drop_line<T>(&mut self, diagnostic: Diagnostic) -> Result<T, Dropped> {
        self.report(diagnostic);
        Err(Dropped)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn file(&mut self, statement: &Statement<'_>) -> u32 {
        let file = statement.entry.name_span().file;
        let next = self.builder.files.len() as u32;
        *self.files.entry(file).or_insert_with(|| {
            self.builder.files.push(self.conf.sources().name(file).to_owned());
            next
        })
    }

    /// A line of a file, by the plan's number of it.
    fn place(&self, file: u32, line: u32) -> Option<Span> {
        let (&file, _) = self.files.iter().find(|&(_, &number)| number == file)?;
        Some(self.conf.sources().line_span(file, line))
    }

    /// Text with what it refers to replaced. Only a hint has a place.
    fn substitute(&mut self, text: &BStr, place: Option<(&BStr, &BStr)>) -> BString {
        if memchr::memchr(b'$', text).is_none() {
            return text.into();
        }
        let (context, extension) = place.unwrap_or_default();
        self.state.context = context.into();
        self.state.extension = extension.into();
        let mut replaced = vec![];
        Scope { state: &mut self.state, plan: &self.nothing, host: &mut self.host }
            .substitute(text, &mut replaced);
        self.host.log.clear();
        replaced.into()
    }
}

fn setting_without_effect(entry: Entry<'_>) -> Option<Diagnostic> {
    let is = |name: &str| entry.is(name);
    let message = if is("extenpatternmatchnew") && is_true(entry.value()) {
        "the other way to match patterns is not needed here: lookups are fast as they are, and steps may come from several extensions as with `no`"
    } else if is("priorityjumping") {
        "jumps to priority + 101 ended with Asterisk 1.6: look at the status variables instead"
    } else if is("overrideswitch") {
        "no switch is asked before the extensions"
    } else {
        return None;
    };
    let message = format!("`{}` has no effect: {message}", entry.name());
    Some(Diagnostic::note(codes::SETTING_WITHOUT_EFFECT, entry.span(), message))
}

fn priority_flaw(statement: &Statement<'_>, line: &StepLine) -> (String, String) {
    let text = statement.text(&line.priority);
    let value = statement.entry.value();
    if text.is_empty() {
        let message = "this line has no priority: it is dropped".to_owned();
        if !value.contains(&b',') && value.contains(&b'|') {
            return (message, "separate with commas: `|` ended with Asterisk 1.6".to_owned());
        }
        return (message, "write `extension,priority,application(arguments)`".to_owned());
    }
    let message = format!("`{text}` is not a priority: this line is dropped");
    let help = if text.eq_ignore_ascii_case(b"n") {
        "write a small `n`".to_owned()
    } else if text.trim_ascii() != text {
        format!("remove the blank after `{}`", text.trim_ascii().as_bstr())
    } else if let Some(rest) = text.strip_prefix(b"n.").or_else(|| text.strip_prefix(b"n;")) {
        format!("write a comma after the `n`: `n,{}`", rest.as_bstr())
    } else {
        let numbers = "write a number from 1, `n`, `s`, `hint`, or a label of this extension";
        match &line.extension {
            None => numbers.to_owned(),
            Some(extension) => {
                format!("{numbers}; is a priority missing after `{}`?", statement.text(extension))
            }
        }
    };
    (message, help)
}

fn with_place(diagnostic: Diagnostic, place: Option<Span>) -> Diagnostic {
    match place {
        Some(place) => diagnostic.with_related(place, "first defined here"),
        None => diagnostic,
    }
}

fn split_caller(extension: &BStr) -> (&BStr, Option<&BStr>) {
    match memchr::memchr(b'/', extension) {
        Some(slash) => (extension[..slash].as_bstr(), Some(extension[slash + 1..].as_bstr())),
        None => (extension, None),
    }
}

/// A caller's number without what people write into numbers: blanks, parentheses, dashes outside
/// sets, dots that are not last (main/callerid.c: ast_shrink_phone_number).
fn shrink_number(number: &BStr) -> BString {
    let mut depth = 0;
    let mut kept = BString::default();
    for (at, &byte) in number.iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b'-' if depth == 0 => continue,
            b'.' if at + 1 < number.len() => continue,
            b'(' | b' ' | b')' => continue,
            _ => {}
        }
        kept.push(byte);
    }
    kept
}

/// A name without blanks, except in sets (main/pbx.c: ext_strncpy).
fn without_blanks(name: &BStr) -> BString {
    let mut in_set = false;
    let keep = |&byte: &u8| {
        match byte {
            b'[' => in_set = true,
            b']' => in_set = false,
            _ => {}
        }
        byte != b' ' || in_set
    };
    name.iter().copied().filter(keep).collect::<Vec<_>>().into()
}

/// The number a text begins with, as C's `%30d` reads it into 32 bits.
fn scan_integer(text: &BStr) -> Option<i32> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, &rest[..rest.len().min(29)]),
        [b'+', rest @ ..] => (false, &rest[..rest.len().min(29)]),
        _ => (false, &text[..text.len().min(30)]),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let number = digits[..length].iter().fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    Some(if negative { number.wrapping_neg() } else { number } as i32)
}

/// Asterisk's buffer for a name with its caller part.
const EXTENSION_LIMIT: usize = 255;
