//! One setting on its way from the text into a typed field.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use bstr::{BStr, BString};
use diesis_dialplan::conf::{Conf, Entry, Section};
use diesis_dialplan::diagnostic::{Diagnostic, Span};

use super::codes;
use super::key::KeyTable;
use super::notes::Notes;
use super::value;

/// A section with a header.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    section: Section<'a>,
    /// The header's place.
    pub(super) header: Span,
}

impl<'a> Block<'a> {
    /// The sections of a file. Lines before the first header are an error of the file and no
    /// section.
    pub(super) fn all(conf: &'a Conf) -> Vec<Self> {
        conf.sections()
            .filter_map(|section| Some(Self { section, header: section.header()? }))
            .collect()
    }

    /// The name between the brackets.
    pub(super) fn name(&self) -> &'a BStr {
        self.section.name()
    }

    /// Whether this is its name, in any letter case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether it has no setting.
    pub(super) fn is_empty(&self) -> bool {
        self.section.entries().len() == 0
    }

    /// Whether it has a setting of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.section.entry(name).is_some()
    }

    /// The last value of this name.
    pub(super) fn value_of(&self, name: &str) -> Option<&'a BStr> {
        self.section.last_entry(name).map(|entry| entry.value())
    }

    /// The last value of this name.
    pub(super) fn last(&self, name: &str) -> Option<&'a BStr> {
        self.section.last_entry(name).map(|entry| entry.value())
    }

    /// The place of the last value of this name, or of the header.
    pub(super) fn place_of(&self, name: &str) -> Span {
        self.section.last_entry(name).map_or(self.header, |entry| entry.value_span())
    }

    /// What kind of thing it defines: the last `type`, so that a section can override its template.
    pub(super) fn kind(&self) -> Option<Entry<'a>> {
        self.section.last_entry("type")
    }

    /// Hands every setting to `take` under its name in lower case. What `take` does not know it
    /// passes to [`Setting::judge`].
    pub(super) fn each(
        &self,
        table: &KeyTable,
        notes: &mut Notes,
        mut take: impl FnMut(&[u8], Setting<'_>),
    ) {
        for entry in self.section.entries() {
            let name = entry.name().to_ascii_lowercase();
            if table.reads(entry.name()) {
                // Says so when it has no effect yet.
                notes.judge(table, entry.name(), entry.value(), entry.name_span());
            }
            take(&name, Setting { entry, table, notes });
        }
    }
}

/// A setting, and where to complain about it.
pub(super) struct Setting<'a> {
    entry: Entry<'a>,
    table: &'a KeyTable,
    pub(super) notes: &'a mut Notes,
}

impl<'a> Setting<'a> {
    /// The value as written.
    pub(super) fn value(&self) -> &'a BStr {
        self.entry.value()
    }

    /// The value's place.
    pub(super) fn span(&self) -> Span {
        self.entry.value_span()
    }

    /// Says what is known about a setting that is not read here.
    pub(super) fn judge(self) {
        let Self { entry, table, notes } = self;
        let name = entry.name();
        debug_assert!(!table.reads(name), "{} {name} is listed but not read", table.kind);
        notes.judge(table, entry.name(), entry.value(), entry.name_span());
    }

    /// Takes text as it is.
    pub(super) fn text(self, field: &mut BString) {
        *field = self.value().to_owned();
    }

    /// Takes text; nothing when it is empty.
    pub(super) fn optional_text(self, field: &mut Option<BString>) {
        *field = Some(self.value().to_owned()).filter(|text| !text.is_empty());
    }

    /// Takes a truth value.
    pub(super) fn yes_no(self, field: &mut bool) {
        match value::yes_no(self.value()) {
            Some(value) => *field = value,
            None => self.invalid("`yes` or `no`"),
        }
    }

    /// Takes a whole number within bounds.
    pub(super) fn number<T: TryFrom<u32>>(self, field: &mut T, bounds: RangeInclusive<u32>) {
        let number = value::parsed(self.value()).filter(|number| bounds.contains(number));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => *field = number,
            None => {
                let (least, most) = bounds.into_inner();
                self.invalid(&format!("a whole number from {least} to {most}"));
            }
        }
    }

    /// Takes a number of seconds within bounds.
    pub(super) fn seconds(self, field: &mut Duration, bounds: RangeInclusive<u32>) {
        let mut seconds = field.as_secs();
        self.number(&mut seconds, bounds);
        *field = Duration::from_secs(seconds);
    }

    /// Takes a number of seconds up to `most`; 0 stands for none.
    pub(super) fn optional_seconds(self, field: &mut Option<Duration>, most: u32) {
        let mut seconds = field.unwrap_or_default();
        self.seconds(&mut seconds, 0..=most);
        *field = Some(seconds).filter(|seconds| !seconds.is_zero());
    }

    /// Takes an IP address.
    pub(super) fn address(self, field: &mut Option<IpAddr>) {
        match value::ip_address(self.value()) {
            Some(address) => *field = Some(address),
            None => self.invalid("an IP address, such as 192.0.2.7; names are not looked up yet"),
        }
    }

    /// Complains that the value is not what is expected.
    pub(super) fn invalid(self, expected: &str) {
        let message = format!("`{}` is no value for `{}`", self.value(), self.entry.name());
        let help = format!("expected {expected}");
        let span = self.span();
        self.notes.error(codes::VALUE_INVALID, span, message, &help);
    }

    /// Complains that a value, or a part of it, belongs to something that is not here yet. Each such
    /// part is named once, however often it comes up.
    pub(super) fn later(&mut self, part: &BStr, instead: &str) {
        let message = format!("`{}={part}` is not supported yet", self.entry.name());
        let diagnostic = Diagnostic::warning(codes::VALUE_LATER, self.span(), message);
        self.notes.once(diagnostic.with_help(instead));
    }
}
