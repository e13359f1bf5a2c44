//! Comma-separated values (RFC 4180), a record a line.

/// A quote that is not closed, or that something follows which is no separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quote is not closed")]
pub struct Unclosed;

/// The fields of a line, trimmed where they are not quoted. `separator` is what stands between
/// them: spreadsheets of many countries write a semicolon.
///
/// # Errors
/// When a quote is not closed.
pub fn fields(line: &str, separator: char) -> Result<Vec<String>, Unclosed> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start();
        let after = if let Some(mut quoted) = trimmed.strip_prefix('"') {
            let mut field = String::new();
            loop {
                let (before, behind) = quoted.split_once('"').ok_or(Unclosed)?;
                field.push_str(before);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        quoted = more;
                    }
                    None => {
                        fields.push(field);
                        break behind.trim_start();
                    }
                }
            }
        } else {
            let end = rest.find(separator).unwrap_or(rest.len());
            fields.push(rest[..end].trim().to_owned());
            &rest[end..]
        };
        match after.strip_prefix(separator) {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(fields),
            None => return Err(Unclosed),
        }
    }
}

/// A field as it is written between commas.
#[must_use]
pub fn quoted(field: &str) -> String {
    let is_plain = field.trim() == field && !field.contains(['"', ',', '\n', '\r']);
    if is_plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

/// A record of these fields, with the end of its line.
#[must_use]
pub fn line(fields: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells: Vec<String> = fields.into_iter().map(|field| quoted(field.as_ref())).collect();
    cells.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_comes_back_whole() {
        let cells = ["plain", "", " blank before", "a,b", "say \"no\"", "é;"];
        let line = line(cells);
        let line = line.strip_suffix('\n').expect("it ends");
        assert_eq!(fields(line, ','), Ok(cells.map(str::to_owned).to_vec()));
        assert_eq!(fields(" a ; \"b;c\" ;", ';'), Ok(vec!["a".into(), "b;c".into(), "".into()]));
    }

    #[test]
    fn a_quote_without_its_end_is_refused() {
        for line in ["\"a", "\"a\"b", "a,\"", "\"\"\""] {
            assert_eq!(fields(line, ','), Err(Unclosed), "{line}");
        }
    }
}
