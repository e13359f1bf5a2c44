//! `numbering.conf`: how numbers are written, dialled and shown.
//!
//! `[general]` holds prefixes and lengths; `[outgoing]` and `[incoming]` hold a rule a line:
//! `rule => priority,name,model,value`. Without `[outgoing]` the default rules hold.

use diesis_dialplan::diagnostic::Span;
use diesis_dialplan::numbering::check::{Named, suspicions};
use diesis_dialplan::numbering::{Direction, NumberingPlan, RuleText, Settings, table};

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::{Block, Setting};

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> NumberingPlan {
    let mut settings = Settings::default();
    let mut written: Vec<(Direction, RuleText, Span)> = Vec::new();
    let mut has_outgoing = false;
    for section in sections {
        let direction = match () {
            () if section.is("general") => {
                read_general(section, &mut settings, notes);
                continue;
            }
            () if section.is("outgoing") => Direction::Out,
            () if section.is("incoming") => Direction::In,
            () => {
                let message = format!("numbering.conf has no section [{}]", section.name());
                let help = "there are [general], [outgoing] and [incoming]; it has no effect";
                notes.warn(codes::SECTION_UNKNOWN, section.header, message, help);
                continue;
            }
        };
        has_outgoing |= direction == Direction::Out;
        section.each(&keys::NUMBERING_RULES, notes, |name, setting| match name {
            b"rule" => {
                let span = setting.span();
                match table::parse_row(&String::from_utf8_lossy(setting.value())) {
                    Ok(rule) => written.push((direction, rule, span)),
                    Err(error) => {
                        let help = "expected rule => priority,name,model,value";
                        setting.notes.error(codes::VALUE_INVALID, span, error.to_string(), help);
                    }
                }
            }
            _ => setting.judge(),
        });
    }
    let (directions, spans): (Vec<_>, Vec<_>) =
        written.into_iter().map(|(direction, rule, span)| ((direction, rule), span)).unzip();
    let defaults = table::default_rules().into_iter().filter(|_| !has_outgoing);
    let given = directions.iter().cloned();
    let (plan, errors) =
        NumberingPlan::new(settings, given.chain(defaults.map(|rule| (Direction::Out, rule))));
    for (place, error) in &errors {
        if let Some(span) = spans.get(*place) {
            let help = "the rule has no effect as it is";
            notes.error(codes::VALUE_INVALID, *span, error.to_string(), help);
        }
    }
    for found in suspicions(&plan) {
        let text = plan.rules(found.direction)[found.rule].text();
        // Of the default rules nobody wrote a line that could be mended.
        let Some(place) = directions.iter().position(|it| *it == (found.direction, text.clone()))
        else {
            continue;
        };
        let message = format!("{}: {}", Named(text), found.message(&plan));
        notes.warn(codes::RULE_SUSPICIOUS, spans[place], message, found.remedy());
    }
    plan
}

fn read_general(section: &Block<'_>, settings: &mut Settings, notes: &mut Notes) {
    let Settings { prefixes, .. } = settings;
    section.each(&keys::NUMBERING, notes, |name, setting| match name {
        b"international_prefix" => digits(setting, &mut prefixes.international),
        b"country_prefix" => digits(setting, &mut prefixes.country),
        b"external_prefix" => digits(setting, &mut prefixes.external),
        b"add" => digits(setting, &mut settings.add),
        b"remove" => digits(setting, &mut settings.remove),
        b"internal_length" => setting.number(&mut settings.internal_length, 0..=LONGEST),
        b"reverse_length" => setting.number(&mut settings.reverse_length, 1..=LONGEST),
        _ => setting.judge(),
    });
}

/// Takes a prefix.
fn digits(setting: Setting<'_>, field: &mut String) {
    let text = String::from_utf8_lossy(setting.value()).into_owned();
    if text.len() <= LONGEST as usize && text.bytes().all(|b| b.is_ascii_digit()) {
        *field = text;
    } else {
        setting.invalid("digits, or nothing");
    }
}

/// Digits of a number (ITU-T E.164 knows 15).
const LONGEST: u32 = 15;
