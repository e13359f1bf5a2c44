//! What is wrong in single lines: names that do not exist, targets that lead nowhere, blanks in
//! names of variables.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use bstr::{BStr, BString, ByteSlice};

use super::{
    CheckOptions,
    arguments::{self, Flaw},
    expressions,
    headers::{Lead, LostHeaders},
    is_literal,
    names::{Finding, Kind},
    patterns, reach,
    references::{Reference, references},
    targets::{Part, Target, is_known, is_relative, number, parts, split_application},
};
use crate::{
    ast::{Ending, Statement, StatementKind, StepLine},
    codes,
    conf::{Conf, Entry, Section},
    diagnostic::{Code, Diagnostic, FileId, Severity, Span},
    parser,
    plan::{ContextId, NotFound, Plan, Target as Wanted},
    schedule::Schedule,
    spelling,
};

/// Checks every line that is written (those that a template repeats are checked where they stand).
pub(super) fn check(
    conf: &Conf,
    plan: &Plan,
    options: &CheckOptions,
    lost: &LostHeaders,
    dropped: &HashSet<(FileId, u32)>,
) -> (Vec<Diagnostic>, Vec<Lead>) {
    let mut checker = Checker {
        plan,
        options,
        lost,
        dropped,
        found: vec![],
        leads: vec![],
        dials: vec![],
        known: Default::default(),
        patterns: HashSet::new(),
        guesses: GUESSES,
    };
    for section in conf.all_sections() {
        checker.section(section);
    }
    checker.report_dials();
    (checker.found, checker.leads)
}

/// Calls `visit` for every target of `Goto` and its relatives.
pub(super) fn each_target(
    conf: &Conf,
    visit: &mut dyn FnMut(&Statement<'_>, Section<'_>, Range<usize>),
) {
    for section in conf.all_sections().filter(|section| is_context(*section)) {
        for entry in section.entries().filter(|entry| !entry.is_inherited()) {
            let statement = parser::parse(entry);
            let StatementKind::Step(line) = &statement.kind else { continue };
            let call = (line.application.clone(), line.arguments.clone());
            each_target_of(&statement, call, 0, &mut |range| visit(&statement, section, range));
        }
    }
}

fn each_target_of(
    statement: &Statement<'_>,
    (application, arguments): (Range<usize>, Range<usize>),
    depth: usize,
    visit: &mut dyn FnMut(Range<usize>),
) {
    let value = statement.entry.value();
    for part in parts(statement.text(&application), value, arguments) {
        match part {
            Part::Target(range) => visit(range),
            Part::Application(range) if depth < NESTING => {
                each_target_of(statement, split_application(value, range), depth + 1, visit);
            }
            _ => {}
        }
    }
}

fn is_context(section: Section<'_>) -> bool {
    let name = section.name();
    !name.eq_ignore_ascii_case(b"general") && !name.eq_ignore_ascii_case(b"globals")
}

/// How many names of contexts, extensions and labels are guessed.
const GUESSES: usize = 200;

/// How deep `ExecIf` within `ExecIf` is looked into.
const NESTING: usize = 8;

struct Checker<'a> {
    plan: &'a Plan,
    options: &'a CheckOptions,
    lost: &'a LostHeaders,
    dropped: &'a HashSet<(FileId, u32)>,
    found: Vec<Diagnostic>,
    leads: Vec<Lead>,
    /// Lines that dial what a pattern without bounds lets through.
    dials: Vec<Span>,
    /// What was found out of applications and functions.
    known: (KnownNames, KnownNames),
    /// Extensions whose flaws have been told.
    patterns: HashSet<(Code, BString)>,
    /// How many more names are guessed: guessing compares with all there are.
    guesses: usize,
}

type KnownNames = HashMap<BString, Option<Finding>>;

/// Where a line stands.
struct Place {
    context: Option<ContextId>,
    /// The extension as written, if nothing in it is computed.
    extension: Option<BString>,
}

impl Checker<'_> {
    fn section(&mut self, section: Section<'_>) {
        if section.name().eq_ignore_ascii_case(b"general") {
            return;
        }
        let is_context = is_context(section);
        let context = self.plan.context(section.name()).filter(|_| is_context);
        let mut place = Place { context, extension: None };
        for entry in section.entries().filter(|entry| !entry.is_inherited()) {
            if !is_context {
                self.global(entry);
                continue;
            }
            let statement = parser::parse(entry);
            self.references(entry);
            let StatementKind::Step(line) = &statement.kind else { continue };
            if let Some(extension) = &line.extension {
                let text = statement.text(extension);
                let name = text.split(|&byte| byte == b'/').next().unwrap_or_default();
                place.extension = is_literal(name).then(|| name.into());
                if is_literal(name) {
                    self.extension(entry, extension.start..extension.start + name.len());
                }
            }
            let line_of = (entry.name_span().file, entry.line());
            if !self.dropped.contains(&line_of) {
                self.step(&statement, line, &place);
            }
        }
    }

    fn extension(&mut self, entry: Entry<'_>, range: Range<usize>) {
        let name = entry.value()[range.clone()].as_bstr();
        if let Some(rest) = name.strip_prefix(b">").filter(|_| !entry.has_arrow()) {
            let meant = rest.trim_ascii().as_bstr();
            let message = format!("the `>` belongs to the extension: `{name}` is not `{meant}`");
            let help = "write `=>` without a blank in it".to_owned();
            let code = codes::STRAY_ARROW;
            return self
                .flaw(entry, Flaw { severity: Severity::Error, code, range, message, help });
        }
        for flaw in patterns::flaws(name, range.start) {
            // All lines of an extension repeat its name.
            if self.patterns.insert((flaw.code, name.into())) {
                self.flaw(entry, flaw);
            }
        }
    }

    fn flaw(&mut self, entry: Entry<'_>, flaw: Flaw) {
        let Flaw { severity, code, range, message, help } = flaw;
        let diagnostic = Diagnostic::new(severity, code, message).with_help(help);
        self.report(diagnostic.at(entry.part_span(range)));
    }

    fn global(&mut self, entry: Entry<'_>) {
        self.references(entry);
        let name = entry.name();
        self.blank_in_name(name, entry.name_span());
    }

    fn step(&mut self, statement: &Statement<'_>, line: &StepLine, place: &Place) {
        let application = statement.text(&line.application);
        let is_hint = statement.text(&line.priority) == "hint";
        let is_bare =
            line.arguments_end == Ending::Absent && application.find_byteset(",|").is_some();
        let ends_blank = application.last().is_some_and(|&last| last <= b' ');
        if is_hint || is_bare || ends_blank {
            return;
        }
        self.call(statement, line.application.clone(), line.arguments.clone(), place, 0);
    }

    fn call(
        &mut self,
        statement: &Statement<'_>,
        application: Range<usize>,
        arguments: Range<usize>,
        place: &Place,
        depth: usize,
    ) {
        let name = statement.text(&application);
        let value = statement.entry.value();
        if !is_literal(name) {
            return;
        }
        self.application_name(statement, &application);
        let is_unclosed = references(value[arguments.clone()].as_bstr())
            .iter()
            .any(|reference| matches!(reference, Reference::Unclosed(_)));
        if !is_unclosed && !name.is_empty() {
            for flaw in arguments::flaws(name, value, arguments.clone()) {
                self.flaw(statement.entry, flaw);
            }
        }
        for part in parts(name, value, arguments.clone()) {
            match part {
                Part::Target(range) => self.target(statement, range, place),
                Part::Application(range) if depth < NESTING => {
                    let (application, arguments) = split_application(value, range);
                    self.call(statement, application, arguments, place, depth + 1);
                }
                Part::Application(_) => {}
                Part::Schedule(range) => self.schedule(statement, range),
                Part::NoBranch if is_unclosed => {}
                Part::NoBranch => self.report(
                    Diagnostic::warning(
                        codes::NO_BRANCH,
                        statement.span(&arguments),
                        "without a `?`, this does nothing",
                    )
                    .with_help(format!("write `{name}(condition?where)`")),
                ),
            }
        }
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("Set") {
            self.set(statement, arguments);
        } else if is("Macro") {
            self.macro_context(statement, arguments);
        } else if SEPARATED.iter().any(|wanted| is(wanted)) {
            self.old_separator(statement, &arguments);
            if is("Dial") {
                self.dial(statement, &arguments, place);
            }
        }
    }

    /// What is wrong with a name; found once for each.
    fn finding(&mut self, name: &BStr, kind: Kind) -> Option<Finding> {
        let (names, known) = match kind {
            Kind::Application => (&self.options.applications, &mut self.known.0),
            Kind::Function => (&self.options.functions, &mut self.known.1),
        };
        if let Some(finding) = known.get(name) {
            return finding.clone();
        }
        let finding = names.finding(name, kind);
        known.insert(name.into(), finding.clone());
        finding
    }

    fn application_name(&mut self, statement: &Statement<'_>, range: &Range<usize>) {
        let name = statement.text(range);
        let span = statement.span(range);
        if name.is_empty() {
            let whole = statement.entry.span();
            let message = "there is no application on this line, and a call that comes here ends";
            self.report(
                Diagnostic::error(codes::APPLICATION_UNKNOWN, whole, message)
                    .with_help("write `NoOp()` for a line that does nothing"),
            );
            return;
        }
        let Some(finding) = self.options.applications.finding(name, Kind::Application) else {
            return;
        };
        let diagnostic = match finding {
            // Letter case does not count for applications.
            Finding::Case(_) => return,
            Finding::AsteriskOnly => {
                unavailable(codes::APPLICATION_UNAVAILABLE, "application", name)
            }
            Finding::Former(instead) => {
                former(codes::APPLICATION_FORMER, "application", name, instead)
            }
            Finding::Unknown(guess) => unknown(
                codes::APPLICATION_UNKNOWN,
                "application",
                name,
                guess,
                ", and a call that comes here ends",
            ),
        };
        self.report(diagnostic.at(span));
    }

    /// Everything in `${...}` and `$[...]` of a line.
    fn references(&mut self, entry: Entry<'_>) {
        let value = entry.value();
        if is_literal(value) {
            return;
        }
        for reference in references(value) {
            match reference {
                Reference::Variable(range) => {
                    self.blank_in_name(value[range.clone()].as_bstr(), entry.part_span(range));
                }
                Reference::Function { name, arguments } => self.function(entry, name, arguments),
                Reference::Expression(range) => {
                    if let Some(flaw) = expressions::flaw(value, range) {
                        self.flaw(entry, flaw);
                    }
                }
                // The rest of a line broken in two has been reported.
                Reference::Unclosed(_) if entry.is_broken() => {}
                Reference::Unclosed(range) => {
                    let open = &value[range.clone()];
                    let close = if open == b"${" { '}' } else { ']' };
                    let message = format!(
                        "`{}` is never closed: all up to the end is taken into it",
                        open.as_bstr()
                    );
                    let span = entry.part_span(range);
                    self.report(
                        Diagnostic::warning(codes::REFERENCE_UNCLOSED, span, message)
                            .with_help(format!("add `{close}`")),
                    );
                }
            }
        }
    }

    fn function(&mut self, entry: Entry<'_>, range: Range<usize>, arguments: Range<usize>) {
        let value = entry.value();
        let name = value[range.clone()].as_bstr();
        if name.is_empty() {
            return;
        }
        if name.eq_ignore_ascii_case(b"IFTIME")
            && let Some(length) = value[arguments.clone()].find_byte(b'?')
        {
            let statement = Statement { entry, kind: StatementKind::Unknown };
            self.schedule(&statement, arguments.start..arguments.start + length);
        }
        self.function_name(name, entry.part_span(range));
    }

    fn function_name(&mut self, name: &BStr, span: Span) {
        let Some(finding) = self.finding(name, Kind::Function) else { return };
        let diagnostic = match finding {
            Finding::Case(exact) => Diagnostic::new(
                Severity::Error,
                codes::FUNCTION_UNKNOWN,
                format!("there is no function `{name}`: letter case counts"),
            )
            .with_help(format!("write `{exact}`")),
            Finding::AsteriskOnly => unavailable(codes::FUNCTION_UNAVAILABLE, "function", name),
            Finding::Former(instead) => former(codes::FUNCTION_FORMER, "function", name, instead),
            Finding::Unknown(guess) => {
                unknown(codes::FUNCTION_UNKNOWN, "function", name, guess, ": it is empty")
            }
        };
        self.report(diagnostic.at(span));
    }

    fn blank_in_name(&mut self, name: &BStr, span: Span) {
        let trimmed = name.trim_with(|character| character == ' ' || character == '\t').as_bstr();
        if trimmed.len() == name.len() && !name.contains(&b' ') || trimmed.is_empty() {
            return;
        }
        let fixed = trimmed.replace(" ", "_");
        let (message, help) = if fixed == trimmed.as_bytes() {
            let message = format!("the blank belongs to the name: `{name}` is not `{trimmed}`");
            (message, format!("write `{trimmed}`"))
        } else {
            let message = format!("a name with blanks, `{trimmed}`, is probably not meant");
            (message, format!("did you mean `{}`?", fixed.as_bstr()))
        };
        self.report(Diagnostic::warning(codes::BLANK_IN_NAME, span, message).with_help(help));
    }

    /// `Set(name=value)`.
    fn set(&mut self, statement: &Statement<'_>, arguments: Range<usize>) {
        let text = statement.text(&arguments);
        let Some(equals) = equals_outside(text) else {
            if is_literal(text) {
                let message = "without a `=`, this sets nothing";
                let span = statement.span(&arguments);
                self.report(
                    Diagnostic::warning(codes::SET_WITHOUT_VALUE, span, message)
                        .with_help("write `Set(name=value)`"),
                );
            }
            return;
        };
        let name = text[..equals].as_bstr();
        let range = arguments.start..arguments.start + equals;
        if !is_literal(name) && !name.contains(&b'(') {
            return;
        }
        if let Some(open) = name.find_byte(b'(') {
            let function = arguments.start..arguments.start + open;
            let function_name = statement.text(&function);
            if is_literal(function_name) && !function_name.is_empty() {
                self.function_name(function_name, statement.span(&function));
            }
            return;
        }
        self.blank_in_name(name, statement.span(&range));
        self.set_value(statement, equals + arguments.start + 1..arguments.end);
    }

    fn set_value(&mut self, statement: &Statement<'_>, range: Range<usize>) {
        let value = statement.text(&range);
        if let [b'"', inner @ .., b'"'] = value.as_bytes()
            && !inner.contains(&b'"')
        {
            self.report(
                Diagnostic::note(
                    codes::QUOTES_KEPT,
                    statement.span(&range),
                    "the quotes become part of the value",
                )
                .with_help(format!(
                    "write `{}` without them, unless they are meant",
                    inner.as_bstr()
                )),
            );
            return;
        }
        let Some(comma) = value.find_byte(b',') else { return };
        let after = &value[comma + 1..];
        let name =
            after.iter().take_while(|&&byte| byte == b'_' || byte.is_ascii_alphanumeric()).count();
        let is_pair = name > 0 && after[0].is_ascii_alphabetic() && after.get(name) == Some(&b'=');
        if is_pair && !value[..comma].contains(&b'(') {
            let span = statement.entry.part_span(range.start + comma..range.end);
            let message = "`Set` sets one variable only: this is part of its value";
            self.report(
                Diagnostic::warning(codes::SET_SEVERAL, span, message)
                    .with_help("write a `Set` for each, or `MSet` for all"),
            );
        }
    }

    fn macro_context(&mut self, statement: &Statement<'_>, arguments: Range<usize>) {
        let text = statement.text(&arguments);
        let end = text.find_byte(b',').unwrap_or(text.len());
        let name = text[..end].as_bstr();
        if !is_literal(name) || name.is_empty() || name.contains(&b'|') {
            return;
        }
        let mut context = BString::from("macro-");
        context.extend_from_slice(name);
        if self.plan.context(&context).is_none() {
            let range = arguments.start..arguments.start + end;
            self.unknown_context(statement, &range, context.as_bstr());
        }
    }

    /// Arguments separated by `|`, as before Asterisk 1.6.
    fn old_separator(&mut self, statement: &Statement<'_>, range: &Range<usize>) -> bool {
        let text = statement.text(range);
        if !text.contains(&b'|')
            || !is_literal(text) && text.contains_str("$[")
            || text.contains(&b',')
        {
            return false;
        }
        let fixed = text.replace("|", ",");
        self.report(
            Diagnostic::warning(
                codes::OLD_SEPARATOR,
                statement.span(range),
                "`|` does not separate arguments: all of this is one",
            )
            .with_help(format!("write `{}`", fixed.as_bstr())),
        );
        true
    }

    /// A caller who dials `&` may add destinations of his own.
    fn dial(&mut self, statement: &Statement<'_>, arguments: &Range<usize>, place: &Place) {
        let Some(extension) = &place.extension else { return };
        let is_open = extension.starts_with(b"_") && extension.find_byteset(".!").is_some();
        let text = statement.text(arguments);
        if is_open && text.find("${EXTEN").is_some() {
            self.dials.push(statement.span(arguments));
        }
    }

    fn report_dials(&mut self) {
        let Some((&first, more)) = self.dials.split_first() else { return };
        let others = match more.len() {
            0 => String::new(),
            1 => " (and one other line)".to_owned(),
            count => format!(" (and {count} other lines)"),
        };
        let message =
            format!("this dials whatever the caller sends, also `&` and what follows it{others}");
        self.report(
            Diagnostic::note(codes::DIAL_INJECTION, first, message)
                .with_help("write `${FILTER(0-9,${EXTEN})}` if digits are meant"),
        );
    }

    fn schedule(&mut self, statement: &Statement<'_>, range: Range<usize>) {
        let text = statement.text(&range);
        if !is_literal(text) {
            return;
        }
        let mut flaws = vec![];
        let schedule = Schedule::parse_with_flaws(text, &mut flaws);
        for flaw in &flaws {
            let at = range.start + flaw.range.start..range.start + flaw.range.end;
            self.report(
                Diagnostic::warning(codes::SCHEDULE_FLAW, statement.span(&at), flaw.to_string())
                    .with_help(flaw.help()),
            );
        }
        if flaws.is_empty() && !schedule.is_some_and(|schedule| schedule.can_hold()) {
            let message = "this time condition never holds";
            self.report(Diagnostic::warning(
                codes::SCHEDULE_NEVER,
                statement.span(&range),
                message,
            ));
        }
    }

    /// `[[context,]extension,]priority`.
    fn target(&mut self, statement: &Statement<'_>, range: Range<usize>, place: &Place) {
        let value = statement.entry.value();
        let text = statement.text(&range);
        if is_literal(text) && self.old_separator(statement, &range) {
            return;
        }
        if text.is_empty() {
            let message = "an empty target ends the call";
            let span = statement.entry.value_span();
            self.report(Diagnostic::error(codes::TARGET_EMPTY, span, message));
            return;
        }
        let Some(target) = Target::parse(value, range) else { return };
        let context = match &target.context {
            Some(range) if !is_known(value, range) => return,
            Some(range) if range.is_empty() => place.context,
            Some(range) => {
                let context = self.plan.context(statement.text(range));
                if context.is_none() {
                    self.unknown_context(statement, range, statement.text(range));
                    return;
                }
                context
            }
            // What belongs to a menu without its header cannot be judged.
            None if self.lost.holds(statement.entry.span()) => return,
            None => place.context,
        };
        let Some(context) = context else { return };
        let extension = match &target.extension {
            Some(range) if !is_known(value, range) => return,
            Some(range) if !range.is_empty() => Some(statement.text(range).into()),
            _ => place.extension.clone(),
        };
        let Some(extension) = extension else { return };
        self.destination(statement, &target, context, extension.as_bstr());
    }

    fn destination(
        &mut self,
        statement: &Statement<'_>,
        target: &Target,
        context: ContextId,
        extension: &BStr,
    ) {
        let priority = statement.text(&target.priority);
        let is_computed = !is_literal(priority);
        if is_relative(priority) {
            return;
        }
        let wanted = match number(priority) {
            _ if is_computed => Wanted::Priority(1),
            Some(number) => Wanted::Priority(number),
            None => Wanted::Label(priority),
        };
        let Err(reason) = reach::leads_to(self.plan, context, extension, wanted) else { return };
        let in_context = self.plan.view(context).name();
        let in_extension = format!("extension `{extension}` of context `{in_context}`");
        let diagnostic = match reason {
            NotFound::NoExtension | NotFound::NoContext => {
                let range = target.extension.as_ref().unwrap_or(&target.priority);
                let message =
                    format!("there is no extension `{extension}` in context `{in_context}`");
                Diagnostic::error(codes::EXTENSION_UNKNOWN, statement.span(range), message)
            }
            _ if is_computed => return,
            NotFound::NoPriority => {
                let message = format!("{in_extension} has no priority {priority}");
                Diagnostic::error(
                    codes::PRIORITY_UNKNOWN,
                    statement.span(&target.priority),
                    message,
                )
            }
            NotFound::NoLabel => {
                let message = format!("{in_extension} has no label `{priority}`");
                Diagnostic::error(codes::LABEL_UNKNOWN, statement.span(&target.priority), message)
            }
        };
        let help = self.help_for_destination(reason, context, extension, priority);
        self.report(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    fn may_guess(&mut self) -> bool {
        let may = self.guesses > 0;
        self.guesses = self.guesses.saturating_sub(1);
        may
    }

    fn help_for_destination(
        &mut self,
        reason: NotFound,
        context: ContextId,
        extension: &BStr,
        priority: &BStr,
    ) -> Option<String> {
        let wrong = if reason == NotFound::NoExtension { extension } else { priority };
        let trimmed = wrong.trim_ascii().as_bstr();
        if trimmed != wrong {
            return Some(format!("blanks count: write `{trimmed}` right after the comma"));
        }
        if wrong.ends_with(b")") && !wrong.contains(&b'(') {
            return Some("there is one `)` too many".to_owned());
        }
        if !self.may_guess() {
            return None;
        }
        let context = self.plan.view(context);
        let guess = match reason {
            NotFound::NoExtension => {
                let names = context.extensions().filter(|other| !other.is_pattern());
                spelling::closest(extension, names.map(|other| other.name()))
            }
            NotFound::NoLabel => {
                let same = context.extensions().filter(|other| other.name() == extension);
                let labels = same.flat_map(|other| other.steps()).filter_map(|step| step.label());
                spelling::closest(priority, labels)
            }
            NotFound::NoContext | NotFound::NoPriority => None,
        };
        if reason == NotFound::NoLabel && guess.is_none() {
            let contexts = self.plan.contexts().map(|context| context.name());
            let is_exact = self.plan.context(priority).is_some();
            let context =
                if is_exact { Some(priority) } else { spelling::closest(priority, contexts) };
            return context
                .map(|context| format!("for a context, write all three: `Goto({context},s,1)`"));
        }
        // Names that differ in a digit are other numbers, not mistakes.
        let guess = guess.filter(|guess| !guess.iter().any(u8::is_ascii_digit));
        guess.map(|guess| format!("did you mean `{guess}`?"))
    }

    fn unknown_context(&mut self, statement: &Statement<'_>, range: &Range<usize>, name: &BStr) {
        let span = statement.span(range);
        if self.lost.has_name(name) {
            let context = name.into();
            self.leads.push(Lead { context, span: statement.entry.span() });
            return;
        }
        let trimmed = name.trim_ascii().as_bstr();
        let help = if trimmed != name {
            Some(format!("blanks count: write `{trimmed}`"))
        } else {
            let names = self.plan.contexts().map(|context| context.name());
            let guess = self.may_guess().then(|| spelling::closest(name, names)).flatten();
            guess.map(|guess| format!("did you mean `{guess}`?"))
        };
        let message = format!("there is no context `{name}`");
        let diagnostic = Diagnostic::error(codes::CONTEXT_UNKNOWN, span, message);
        let help = help.unwrap_or_else(|| format!("write `[{name}]` above its lines"));
        self.report(diagnostic.with_help(help));
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }
}

fn unavailable(code: Code, kind: &str, name: &BStr) -> Diagnostic {
    let message = format!("the {kind} `{name}` exists in Asterisk, but not here");
    Diagnostic::new(Severity::Error, code, message)
}

fn former(code: Code, kind: &str, name: &BStr, instead: &str) -> Diagnostic {
    let message = format!("the {kind} `{name}` is not available: Asterisk gave it up");
    Diagnostic::new(Severity::Error, code, message).with_help(format!("use `{instead}`"))
}

fn unknown(code: Code, kind: &str, name: &BStr, guess: Option<String>, effect: &str) -> Diagnostic {
    let message = format!("there is no {kind} `{name}`{effect}");
    let diagnostic = Diagnostic::new(Severity::Error, code, message);
    match guess {
        Some(guess) => diagnostic.with_help(format!("did you mean `{guess}`?")),
        None => diagnostic,
    }
}

/// The first `=` that is not inside `${...}` or `$[...]`.
fn equals_outside(text: &BStr) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'=' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Applications whose arguments people still separate by `|`.
const SEPARATED: [&str; 12] = [
    "Dial",
    "Playback",
    "Background",
    "Queue",
    "VoiceMail",
    "VoiceMailMain",
    "Read",
    "Record",
    "SayUnixTime",
    "AGI",
    "Page",
    "MusicOnHold",
];
