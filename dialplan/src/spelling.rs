//! Guesses what a mistyped name was meant to be.

use bstr::BStr;

/// The candidate that differs least from a name, if it differs little: by at most a third of its
/// letters, two at most for short names. Letter case does not count. Of several, the first.
pub fn closest<'a>(
    name: &BStr,
    candidates: impl IntoIterator<Item = &'a BStr>,
) -> Option<&'a BStr> {
    if name.len() > LONGEST {
        return None;
    }
    let limit = (name.len() / 3).clamp(1, 3);
    let folded = name.to_ascii_lowercase();
    let mut best: Option<(usize, &BStr)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(name.len()) > limit {
            continue;
        }
        let distance = distance(&folded, &candidate.to_ascii_lowercase());
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many bytes to insert, remove, change or swap with their neighbour.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let width = right.len() + 1;
    let mut older: Vec<usize> = vec![0; width];
    let mut old: Vec<usize> = (0..width).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut new = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let changed = old[column] + usize::from(a != b);
            let mut least = changed.min(old[column + 1] + 1).min(new[column] + 1);
            let swapped = row > 0 && column > 0 && a == right[column - 1] && b == left[row - 1];
            if swapped {
                least = least.min(older[column - 1] + 1);
            }
            new.push(least);
        }
        older = std::mem::replace(&mut old, new);
    }
    old[right.len()]
}

/// Longer names are not compared: no real one is.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    fn guess(name: &str, candidates: &[&'static str]) -> Option<String> {
        let candidates = candidates.iter().map(|candidate| candidate.as_bytes().as_bstr());
        closest(name.into(), candidates).map(ToString::to_string)
    }

    #[test]
    fn the_closest_name_is_found() {
        let names = ["Answer", "BackGround", "Playback", "Hangup"];
        assert_eq!(guess("Backgrond", &names).as_deref(), Some("BackGround"));
        assert_eq!(guess("anwser", &names).as_deref(), Some("Answer"));
        assert_eq!(guess("HangUp", &names).as_deref(), Some("Hangup"));
    }

    #[test]
    fn names_that_differ_much_are_not_guessed() {
        assert_eq!(guess("Swift", &["Set", "Wait", "Exit"]), None);
        assert_eq!(guess("", &["a"]), Some("a".to_owned()));
    }
}
