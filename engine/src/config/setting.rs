//! One setting on its way from the text into a typed field.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use bstr::{BStr, BString};
use diesis_dialplan::conf::{Entry, Section};
use diesis_dialplan::diagnostic::{Diagnostic, Span};

use super::codes;
use super::key::KeyTable;
use super::notes::Notes;
use super::value;

/// A setting, the section it stands in, and where to complain.
pub(super) struct Setting<'a> {
    section: &'a Section,
    entry: &'a Entry,
    table: &'a KeyTable,
    pub(super) notes: &'a mut Notes,
}

/// Hands every setting of `section` to `take` under its name in lower case. What `take` does not
/// know it passes to [`Setting::judge`].
pub(super) fn each(
    section: &Section,
    table: &KeyTable,
    notes: &mut Notes,
    mut take: impl FnMut(&[u8], Setting<'_>),
) {
    for entry in &section.entries {
        let name = entry.name.to_ascii_lowercase();
        take(&name, Setting { section, entry, table, notes });
    }
}

impl Setting<'_> {
    /// The value as written.
    pub(super) fn value(&self) -> &BStr {
        self.entry.value.as_ref()
    }

    /// The value's place.
    pub(super) fn span(&self) -> Span {
        self.entry.value_span
    }

    /// Says what is known about a setting that is not read here.
    pub(super) fn judge(self) {
        let Self { section, entry, table, notes } = self;
        let setting = (entry.name.as_ref(), entry.value.as_ref());
        notes.judge(table, setting, entry.name_span, section.name_span);
    }

    /// Takes text as it is.
    pub(super) fn text(self, field: &mut BString) {
        field.clone_from(&self.entry.value);
    }

    /// Takes text; nothing when it is empty.
    pub(super) fn optional_text(self, field: &mut Option<BString>) {
        *field = Some(self.entry.value.clone()).filter(|text| !text.is_empty());
    }

    /// Takes a truth value.
    pub(super) fn yes_no(self, field: &mut bool) {
        match value::yes_no(self.value()) {
            Some(value) => *field = value,
            None => self.invalid(value::YES_NO),
        }
    }

    /// Takes a whole number within bounds.
    pub(super) fn number<T>(self, field: &mut T, bounds: RangeInclusive<u32>)
    where
        T: TryFrom<u32>,
    {
        let number = value::parsed(self.value()).filter(|number| bounds.contains(number));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => *field = number,
            None => {
                self.invalid(&format!("a whole number from {} to {}", bounds.start(), bounds.end()));
            }
        }
    }

    /// Takes a number of seconds within bounds.
    pub(super) fn seconds(self, field: &mut Duration, bounds: RangeInclusive<u32>) {
        let mut seconds = u32::try_from(field.as_secs()).unwrap_or(*bounds.end());
        self.number(&mut seconds, bounds);
        *field = Duration::from_secs(seconds.into());
    }

    /// Takes an IP address.
    pub(super) fn address(self, field: &mut Option<IpAddr>) {
        match value::ip_address(self.value()) {
            Some(address) => *field = Some(address),
            None => self.invalid("an IP address, such as 192.0.2.7 (names are not looked up yet)"),
        }
    }

    /// Complains that the value is not what is expected.
    pub(super) fn invalid(self, expected: &str) {
        let Entry { name, value, value_span, .. } = self.entry;
        let message = format!("`{value}` is no value for `{name}`");
        self.notes.error(
            codes::VALUE_INVALID,
            *value_span,
            message,
            &format!("expected {expected}"),
        );
    }

    /// Complains that a value, or a part of it, belongs to something that is not here yet. Each such
    /// part is named once, however often it comes up.
    pub(super) fn later(&mut self, part: &BStr, instead: &str) {
        let message = format!("`{}={part}` is not supported yet", self.entry.name);
        self.notes.once(
            Diagnostic::warning(codes::VALUE_LATER, self.entry.value_span, message)
                .with_help(instead),
        );
    }
}
