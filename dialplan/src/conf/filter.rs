//! Filters of section headers: `[name](+key=value&key=value)` adds to the first section of that
//! name with such entries (main/config.c: does_category_match).

use bstr::ByteSlice;

use super::{Conf, EntryData, SectionData, line::trim};
use crate::regular::Regular;

/// What a section must be like, compiled once for all that are asked.
#[derive(Debug, Default)]
pub(super) struct Filter {
    templates: Templates,
    /// A part that is neither `TEMPLATES=` nor has a value: nothing fits.
    impossible: bool,
    /// Expressions to be found anywhere in the name and the value of one entry.
    entries: Vec<(Regular, Regular)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Templates {
    /// Templates do not count.
    #[default]
    Excluded,
    /// They do, too.
    Included,
    /// Only they do.
    Only,
}

impl Filter {
    /// A filter that templates fit as well.
    pub(super) fn templates_too() -> Self {
        Self { templates: Templates::Included, ..Self::default() }
    }

    /// Keys and values are POSIX extended expressions; `TEMPLATES=include` and
    /// `TEMPLATES=restrict` say that templates count, too, or only they. An empty filter fits all
    /// but templates.
    ///
    /// `Err` holds the part that is no regular expression.
    pub(super) fn parse(text: &[u8]) -> Result<Self, &[u8]> {
        let mut filter = Self::default();
        if text.is_empty() {
            return Ok(filter);
        }
        for part in text.split(|&byte| byte == b'&') {
            let Some((key, value)) = part.split_once_str("=") else {
                filter.impossible = true;
                break;
            };
            let (key, value) =
                (trim(key), trim(value.split(|&byte| byte == b'=').next().unwrap_or(b"")));
            if key != b"TEMPLATES" {
                let compile = |text| Regular::parse(text).map_err(|_| text);
                filter.entries.push((compile(key)?, compile(value)?));
            } else if value.eq_ignore_ascii_case(b"restrict") {
                filter.templates = Templates::Only;
            } else if !value.eq_ignore_ascii_case(b"include") {
                filter.impossible = true;
                break;
            } else if filter.templates == Templates::Excluded {
                filter.templates = Templates::Included;
            }
        }
        Ok(filter)
    }

    /// Whether a section fits.
    pub(super) fn fits(&self, conf: &Conf, section: &SectionData) -> bool {
        let counts = match self.templates {
            Templates::Excluded => !section.template,
            Templates::Included => true,
            Templates::Only => section.template,
        };
        counts
            && !self.impossible
            && self.entries.iter().all(|(key, value)| {
                section.entries.iter().any(|entry: &EntryData| {
                    key.is_match(conf.text(&entry.name)) && value.is_match(conf.text(&entry.value))
                })
            })
    }
}
