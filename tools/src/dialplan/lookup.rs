//! `diesis dialplan lookup`: which step a dialled number leads to, and why.

use std::io::{self, Write};
use std::ops::ControlFlow;

use bstr::ByteSlice;
use diesis_dialplan::pattern;
use diesis_dialplan::plan::{
    Circumstances, ContextId, Extension, ExtensionId, NotFound, Plan, Priority, Step, Target,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::show::{StepRow, described, full_name};
use super::{Found, Trouble, context, load, moment, visible};
use crate::cli::{
    Format,
    dialplan::{Lookup, Priority as Wanted},
};

pub(super) fn run(lookup: &Lookup, out: &mut impl Write) -> Result<Found, Trouble> {
    let plan = load(&lookup.path)?;
    let start = context(&plan, lookup.context.as_str().into())?;
    let zone = TimeZone::system();
    let now = moment::parse(lookup.at.as_deref(), &zone)?;
    let report = Report::new(&plan, start, lookup, now, zone);
    match lookup.format {
        Format::Text => report.print(&plan, lookup, out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &Row::new(&plan, &report))
                .map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(if report.found.is_ok() { Found::Yes } else { Found::No })
}

/// All that a lookup looks at.
struct Report {
    found: Result<diesis_dialplan::plan::Found, NotFound>,
    /// The contexts searched, in order.
    searched: Vec<Searched>,
    can_match: bool,
    match_more: bool,
    is_ignored: bool,
}

/// A context that the lookup comes to, or would if it were another time.
struct Searched {
    context: ContextId,
    /// The contexts from the first to this one, by their names.
    path: Vec<String>,
    /// The condition of its include, if it keeps the context out now.
    closed: Option<String>,
    candidates: Vec<Candidate>,
}

/// An extension that matches the number.
struct Candidate {
    extension: ExtensionId,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// It has the step.
    Chosen,
    /// It is bound to another caller.
    OtherCaller,
    /// It has no such priority or label.
    NoStep,
    /// One before it was chosen.
    Later,
}

impl Report {
    fn new(plan: &Plan, start: ContextId, lookup: &Lookup, now: Timestamp, zone: TimeZone) -> Self {
        let dialled = lookup.number.as_str().into();
        let caller = lookup.callerid.as_deref().map(Into::into);
        let circumstances = Circumstances { caller, now, zone };
        let target = target(lookup);
        let found = plan.find(start, dialled, target, &circumstances);
        let mut report = Self {
            found,
            searched: vec![],
            can_match: plan.can_match(start, dialled, target, &circumstances),
            match_more: plan.match_more(start, dialled, target, &circumstances),
            is_ignored: plan.is_ignored(start, dialled),
        };
        report.search(plan, start, lookup, &circumstances);
        report
    }

    /// Goes the way of the lookup, and notes what it passes.
    fn search(&mut self, plan: &Plan, start: ContextId, lookup: &Lookup, at: &Circumstances<'_>) {
        let chosen = self.found.ok().map(|found| plan.step(found.step).extension().id());
        let mut is_found = false;
        let mut seen: Vec<String> = vec![];
        let mut pending = vec![(start, vec![visible(plan.view(start).name())], None)];
        while let Some((id, path, closed)) = pending.pop() {
            let view = plan.view(id);
            // Names that differ in letter case only count as the same when includes are followed.
            let folded = view.name().to_ascii_lowercase().to_str_lossy().into_owned();
            if closed.is_none() {
                if seen.contains(&folded) {
                    continue;
                }
                seen.push(folded);
            }
            let mut candidates = vec![];
            let _: ControlFlow<()> =
                plan.visit_extensions(id, lookup.number.as_str().into(), |extension| {
                    let is_open = closed.is_none();
                    let verdict = verdict(&extension, chosen, is_found || !is_open, lookup);
                    is_found |= verdict == Verdict::Chosen;
                    candidates.push(Candidate { extension: extension.id(), verdict });
                    ControlFlow::Continue(())
                });
            if closed.is_none() {
                for include in view.includes().rev() {
                    let Some(next) = include.context() else { continue };
                    let holds = include.schedule().is_none_or(|when| when.holds(at.now, &at.zone));
                    let closed = (!holds).then(|| visible(include.text()));
                    let mut path = path.clone();
                    path.push(visible(plan.view(next).name()));
                    pending.push((next, path, closed));
                }
            }
            self.searched.push(Searched { context: id, path, closed, candidates });
        }
    }

    fn print(&self, plan: &Plan, lookup: &Lookup, out: &mut impl Write) -> io::Result<()> {
        match self.found {
            Ok(found) => self.print_found(plan, plan.step(found.step), out)?,
            Err(why) => writeln!(out, "nothing runs: {}", explain(why, lookup))?,
        }
        self.print_passed(plan, lookup, out)?;
        let number = visible(lookup.number.as_bytes());
        writeln!(out)?;
        let answers = match (self.can_match, self.match_more) {
            (true, true) => "something longer can match: after this, another key is waited for",
            (true, false) => "nothing longer can match: after this, no key is waited for",
            (false, _) => "neither this nor anything longer can match",
        };
        writeln!(
            out,
            "  {number}: can match {}, match more {}; {answers}",
            yes_no(self.can_match),
            yes_no(self.match_more)
        )?;
        if self.is_ignored {
            writeln!(out, "  the dial tone goes on after it (ignorepat)")?;
        }
        Ok(())
    }

    fn print_found(&self, plan: &Plan, step: Step<'_>, out: &mut impl Write) -> io::Result<()> {
        let extension = step.extension();
        let place = format_args!("{}:{}", step.file(), step.line());
        writeln!(out, "{}   {place}", described(&step))?;
        let name = full_name(&extension);
        let kind = if extension.is_pattern() { "pattern" } else { "extension" };
        let priority = match step.priority() {
            Priority::Hint => "the hint".to_owned(),
            Priority::Number(number) => format!("priority {number}"),
        };
        writeln!(out, "  {priority} of {kind} {name}")?;
        if extension.is_pattern() {
            writeln!(out, "  {}", spell_out(extension.name()))?;
        }
        let context = visible(plan.view(extension.context()).name());
        let is_way = |searched: &&Searched| {
            searched.context == extension.context() && searched.closed.is_none()
        };
        match self.searched.iter().find(is_way) {
            Some(way) if way.path.len() > 1 => {
                writeln!(out, "  in [{context}], included: {}", way.path.join(" > "))
            }
            _ => writeln!(out, "  in [{context}] itself"),
        }
    }

    fn print_passed(&self, plan: &Plan, lookup: &Lookup, out: &mut impl Write) -> io::Result<()> {
        let mut shown = 0;
        for searched in &self.searched {
            let context = visible(plan.view(searched.context).name());
            if let Some(condition) = &searched.closed {
                writeln!(out, "  not searched: {condition} (not now)")?;
                continue;
            }
            for candidate in &searched.candidates {
                let why = match candidate.verdict {
                    Verdict::Chosen => continue,
                    Verdict::OtherCaller => "it is for another caller".to_owned(),
                    Verdict::NoStep => format!("it has no {}", wanted(lookup)),
                    Verdict::Later => "it comes later".to_owned(),
                };
                shown += 1;
                if shown > MOST_PASSED {
                    continue;
                }
                let name = full_name(&plan.extension(candidate.extension));
                writeln!(out, "  matches too: {name} in [{context}]; {why}")?;
            }
        }
        if shown > MOST_PASSED {
            writeln!(out, "  .. and {} more", shown - MOST_PASSED)?;
        }
        Ok(())
    }
}

fn target(lookup: &Lookup) -> Target<'_> {
    match (&lookup.label, lookup.priority) {
        (Some(label), _) => Target::Label(label.as_str().into()),
        (None, Wanted::Hint) => Target::Hint,
        (None, Wanted::Number(number)) => Target::Priority(number),
    }
}

/// What was looked for, in words.
fn wanted(lookup: &Lookup) -> String {
    match (&lookup.label, lookup.priority) {
        (Some(label), _) => format!("label `{}`", visible(label.as_bytes())),
        (None, Wanted::Hint) => "hint".to_owned(),
        (None, Wanted::Number(number)) => format!("priority {number}"),
    }
}

fn verdict(
    extension: &Extension<'_>,
    chosen: Option<ExtensionId>,
    is_found: bool,
    lookup: &Lookup,
) -> Verdict {
    if Some(extension.id()) == chosen && !is_found {
        return Verdict::Chosen;
    }
    let fits = match (extension.caller(), lookup.callerid.as_deref().unwrap_or_default()) {
        (None, _) => true,
        (Some(bound), "") => bound.is_empty(),
        (Some(bound), caller) => pattern::matches(bound, caller.into()),
    };
    let has_step = extension.steps().any(|step| match target(lookup) {
        Target::Priority(number) => step.priority() == Priority::Number(number),
        Target::Hint => step.priority() == Priority::Hint,
        Target::Label(label) => step.label() == Some(label),
    });
    match (fits, has_step) {
        (false, _) => Verdict::OtherCaller,
        (true, false) => Verdict::NoStep,
        (true, true) => Verdict::Later,
    }
}

fn explain(why: NotFound, lookup: &Lookup) -> String {
    let (context, number) = (visible(lookup.context.as_bytes()), visible(lookup.number.as_bytes()));
    match why {
        NotFound::NoContext => format!("there is no context `{context}`"),
        NotFound::NoExtension => {
            format!("no extension of [{context}] and of what it includes matches {number}")
        }
        NotFound::NoPriority | NotFound::NoLabel => {
            format!("{number} matches in [{context}], but nothing has {}", wanted(lookup))
        }
    }
}

/// What the letters of a pattern mean, those that it uses.
fn spell_out(name: &[u8]) -> String {
    let mut in_set = false;
    let mut said: Vec<&str> = vec![];
    for byte in &name[1..] {
        let meaning = match byte {
            b'[' => {
                in_set = true;
                "[..] is one of these"
            }
            b']' => {
                in_set = false;
                continue;
            }
            _ if in_set => continue,
            b'X' | b'x' => "X is 0 to 9",
            b'Z' | b'z' => "Z is 1 to 9",
            b'N' | b'n' => "N is 2 to 9",
            b'.' => ". is one or more of anything",
            b'!' => "! is none or more of anything",
            b'-' => "- does not count",
            _ => continue,
        };
        if !said.contains(&meaning) {
            said.push(meaning);
        }
        if matches!(byte, b'.' | b'!') {
            break;
        }
    }
    if said.is_empty() { "a pattern without wildcards".to_owned() } else { said.join(", ") }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// The answer for programs.
#[derive(Serialize)]
struct Row {
    status: &'static str,
    context: Option<String>,
    exten: Option<String>,
    callerid: Option<String>,
    step: Option<StepRow>,
    can_match: bool,
    match_more: bool,
    ignorepat: bool,
    searched: Vec<SearchedRow>,
}

#[derive(Serialize)]
struct SearchedRow {
    path: Vec<String>,
    /// The include whose time condition keeps the context out.
    closed: Option<String>,
    candidates: Vec<CandidateRow>,
}

#[derive(Serialize)]
struct CandidateRow {
    exten: String,
    callerid: Option<String>,
    verdict: Verdict,
}

impl Row {
    fn new(plan: &Plan, report: &Report) -> Self {
        let step = report.found.ok().map(|found| plan.step(found.step));
        let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
        let extension = step.map(|step| step.extension());
        let searched = report.searched.iter().map(|searched| SearchedRow {
            path: searched.path.clone(),
            closed: searched.closed.clone(),
            candidates: searched
                .candidates
                .iter()
                .map(|candidate| {
                    let extension = plan.extension(candidate.extension);
                    CandidateRow {
                        exten: text(extension.name()),
                        callerid: extension.caller().map(|caller| text(caller)),
                        verdict: candidate.verdict,
                    }
                })
                .collect(),
        });
        Self {
            status: match report.found {
                Ok(_) => "ok",
                Err(NotFound::NoContext) => "no-context",
                Err(NotFound::NoExtension) => "no-extension",
                Err(NotFound::NoPriority) => "no-priority",
                Err(NotFound::NoLabel) => "no-label",
            },
            context: extension.map(|found| text(plan.view(found.context()).name())),
            exten: extension.map(|found| text(found.name())),
            callerid: extension.and_then(|found| found.caller()).map(|caller| text(caller)),
            step: step.map(|step| StepRow::new(&step)),
            can_match: report.can_match,
            match_more: report.match_more,
            ignorepat: report.is_ignored,
            searched: searched.collect(),
        }
    }
}

/// Other matches printed; programs get all.
const MOST_PASSED: usize = 10;

#[cfg(test)]
mod tests {
    use clap::Parser;
    use diesis_dialplan::conf::{self, MemoryFiles};

    use super::*;
    use crate::cli::{Arguments, Command, dialplan::Dialplan};

    const PLAN: &str = "[office]
include => night,18:00-8:00,*,*,*
include => trunks
exten => 100,1,Answer()
exten => 100/555,1,Busy()
exten => _1XX,1,Dial(PJSIP/${EXTEN})
 same => n(end),Hangup()
ignorepat => 9
[night]
exten => 0,1,Playback(closed)
[trunks]
exten => _9N[2-5]X!,1,Dial(PJSIP/${EXTEN:1}@trunk)
";

    fn answer(words: &str) -> (Result<(), NotFound>, String) {
        let files = MemoryFiles::new().with("extensions.conf", PLAN);
        let conf = conf::load("extensions.conf", &files, &conf::Options::default());
        let plan = Plan::load(&conf, &Default::default()).0;
        let words = format!("diesis dialplan lookup {words}");
        let Some(Command::Dialplan(Dialplan::Lookup(lookup))) =
            Arguments::try_parse_from(words.split(' ')).unwrap().command
        else {
            panic!("another command")
        };
        let start = context(&plan, lookup.context.as_str().into()).unwrap();
        let now = moment::parse(lookup.at.as_deref().or(Some("0")), &TimeZone::UTC).unwrap();
        let report = Report::new(&plan, start, &lookup, now, TimeZone::UTC);
        let mut out = vec![];
        report.print(&plan, &lookup, &mut out).unwrap();
        (report.found.map(|_| ()), String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_pattern_and_the_way_through_includes_are_told() {
        assert_eq!(
            answer("office 9735 --at 2026-11-21T12:00Z").1,
            "Dial(PJSIP/${EXTEN:1}@trunk)   extensions.conf:12
  priority 1 of pattern _9N[2-5]X!
  N is 2 to 9, [..] is one of these, X is 0 to 9, ! is none or more of anything
  in [trunks], included: office > trunks
  not searched: night,18:00-8:00,*,*,* (not now)

  9735: can match yes, match more no; nothing longer can match: after this, no key is waited for
"
        );
    }

    #[test]
    fn what_was_passed_over_is_told() {
        let (found, text) = answer("office 100 --priority 2");
        assert_eq!(found, Ok(()));
        assert!(text.starts_with("(end) Hangup()   extensions.conf:7\n"), "{text}");
        assert!(text.contains("matches too: 100/555 in [office]; it is for another caller"));
        assert!(text.contains("matches too: 100 in [office]; it has no priority 2"), "{text}");
        let (_, text) = answer("office 100 --callerid 555");
        assert!(text.starts_with("Busy()") && text.contains("100 in [office]; it comes later"));
    }

    #[test]
    fn nothing_found_says_how_far_it_came() {
        let (found, text) = answer("office 2");
        assert_eq!(found, Err(NotFound::NoExtension));
        assert!(text.contains("no extension of [office] and of what it includes matches 2"));
        assert!(text.contains("can match no, match more no"), "{text}");
        assert_eq!(answer("office 100 --label top").0, Err(NotFound::NoLabel));
        assert_eq!(answer("office 100 --priority 7").0, Err(NotFound::NoPriority));
        assert_eq!(answer("office 0 --at 2026-11-21T12:00Z").0, Err(NotFound::NoExtension));
        assert_eq!(answer("office 0 --at 2026-11-21T22:00Z").0, Ok(()));
    }
}
