//! Filters of section headers: `[name](+key=value&key=value)` adds to the first section of that
//! name with such entries (main/config.c: does_category_match).

use bstr::{BStr, ByteSlice};
use regex_automata::{meta::Regex, util::syntax};

use super::{Conf, EntryData, SectionData, line::trim};

/// Whether a section fits a filter. Keys and values are regular expressions to be found anywhere
/// in the name and the value of the same entry; `TEMPLATES=include` and `TEMPLATES=restrict` say
/// that templates count, too, or only they. An empty filter fits all but templates.
///
/// `Err` holds the part that is no regular expression.
pub(super) fn fits(conf: &Conf, section: &SectionData, filter: &BStr) -> Result<bool, Vec<u8>> {
    if filter.is_empty() {
        return Ok(!section.template);
    }
    let mut templates_count = false;
    for part in filter.split(|&byte| byte == b'&') {
        let Some((key, value)) = part.split_once_str("=") else { return Ok(false) };
        let (key, value) =
            (trim(key), trim(value.split(|&byte| byte == b'=').next().unwrap_or(b"")));
        if key == b"TEMPLATES" {
            let restricted = value.eq_ignore_ascii_case(b"restrict");
            if !restricted && !value.eq_ignore_ascii_case(b"include")
                || restricted && !section.template
            {
                return Ok(false);
            }
            templates_count = true;
            continue;
        }
        let (key, value) = (compile(key)?, compile(value)?);
        let fits = |entry: &EntryData| {
            key.is_match(conf.text(&entry.name)) && value.is_match(conf.text(&entry.value))
        };
        if !section.entries.iter().any(fits) {
            return Ok(false);
        }
    }
    Ok(!section.template || templates_count)
}

fn compile(expression: &[u8]) -> Result<Regex, Vec<u8>> {
    let text = expression.to_str().map_err(|_| expression.to_vec())?;
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(1 << 20)))
        .build(text)
        .map_err(|_| expression.to_vec())
}
